// Command session holds a conversation with a team of agents: it opens a session, follows what happens, has a module checked, and closes.
// It is the "Complete Example" of the Nity Bridge SDK's page on events, call by call.
//
//	EVENTS_SERVICE_URL=http://127.0.0.1:3009 session "Check the auth module"
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "session:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	prompt := "Check the auth module"
	if len(args) > 0 {
		prompt = args[0]
	}
	client, err := sdk.FromEnv()
	if err != nil {
		return err
	}
	return converse(ctx, client, out, prompt)
}

// converse is the whole of it.
func converse(ctx context.Context, client *sdk.Client, out io.Writer, prompt string) (err error) {
	session, err := client.OpenSession(ctx, sdk.SessionConfig{CostTier: sdk.TierHybrid, QualityGates: true})
	if err != nil {
		return err
	}
	store := transcript.NewProgressStore[sdk.SessionProgress]()
	throttler := transcript.NewProgressThrottler(func(p sdk.SessionProgress) {
		store.Record("current-task", p)
		fmt.Fprintf(out, "[%v%%] %s\n", p.Percentage, p.Phase)
	}, 200*time.Millisecond)

	unsubscribe := session.Subscribe(func(event *sdk.SessionEvent, err error) {
		if err != nil {
			fmt.Fprintln(out, "The stream has ended:", err)
			return
		}
		switch event.Type {
		case sdk.SessionStartEvent:
			fmt.Fprintln(out, "Session started:", event.Payload.SessionID)
		case sdk.TaskStartEvent:
			fmt.Fprintln(out, "Task started:", event.Payload.TaskType)
		case sdk.TaskProgressEvent:
			if event.Payload.Progress != nil {
				throttler.Push(*event.Payload.Progress)
			}
		case sdk.TaskCompleteEvent:
			throttler.Flush()
			fmt.Fprintln(out, "Task completed in", event.Payload.Duration, "ms")
		case sdk.TaskErrorEvent:
			throttler.Cancel()
			fmt.Fprintln(out, "Task error:", event.Payload.Error)
		case sdk.SessionCloseEvent:
			fmt.Fprintln(out, "Session closed")
		}
	})
	defer func() {
		_, failed := session.Close(context.WithoutCancel(ctx)) // which the handler is told of
		unsubscribe()
		err = errors.Join(err, failed)
	}()

	result, err := session.SendTask(ctx, sdk.TypeValidate, prompt)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Result:", result.Text())
	if result.QualityGatePassed != nil {
		fmt.Fprintln(out, "Quality gates:", *result.QualityGatePassed)
	}
	if newest, ok := store.Latest("current-task"); ok {
		fmt.Fprintf(out, "The last progress was %v%%\n", newest.Percentage)
	}
	return nil
}
