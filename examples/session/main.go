// Command session holds a conversation with a team of agents: it opens a session, follows what happens, has a module checked, and closes.
// It is the "Complete Example" of the Nity Bridge SDK's page on events, call by call.
//
//	EVENTS_SERVICE_URL=http://127.0.0.1:3009 session "Check the auth module"
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "session:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := sdk.FromEnv()
	if err != nil {
		return err
	}
	prompt := "Check the auth module"
	if len(os.Args) > 1 {
		prompt = os.Args[1]
	}
	return converse(ctx, client, say, prompt)
}

// say prints a line.
func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// converse is the whole of it.
func converse(ctx context.Context, client *sdk.Client, say func(format string, args ...any), prompt string) (err error) {
	session, err := client.OpenSession(ctx, sdk.SessionConfig{CostTier: sdk.TierHybrid, QualityGates: true})
	if err != nil {
		return err
	}
	store := transcript.NewProgressStore[sdk.SessionProgress]()
	throttler := transcript.NewProgressThrottler(func(p sdk.SessionProgress) {
		store.Record("current-task", p)
		say("[%v%%] %s", p.Percentage, p.Phase)
	}, 200*time.Millisecond)

	unsubscribe := session.Subscribe(func(event *sdk.SessionEvent, err error) {
		if err != nil {
			say("The stream has ended: %v", err)
			return
		}
		switch event.Type {
		case sdk.SessionStartEvent:
			say("Session started: %v", event.Payload.SessionID)
		case sdk.TaskStartEvent:
			say("Task started: %v", event.Payload.TaskType)
		case sdk.TaskProgressEvent:
			if event.Payload.Progress != nil {
				throttler.Push(*event.Payload.Progress)
			}
		case sdk.TaskCompleteEvent:
			throttler.Flush()
			say("Task completed in %d ms", event.Payload.Duration)
		case sdk.TaskErrorEvent:
			throttler.Cancel()
			say("Task error: %v", event.Payload.Error)
		case sdk.SessionCloseEvent:
			say("Session closed")
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
	say("Result: %v", result.Text())
	if result.QualityGatePassed != nil {
		say("Quality gates: %v", *result.QualityGatePassed)
	}
	if newest, ok := store.Latest("current-task"); ok {
		say("The last progress was %v%%", newest.Percentage)
	}
	return nil
}
