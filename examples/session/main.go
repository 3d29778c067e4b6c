// Command session holds a conversation with a team of agents: it opens a session, follows what happens, has a module checked, and closes.
// It is the "Complete Example" of the Nity Bridge SDK's page on events, call by call.
//
//	EVENTS_SERVICE_URL=http://127.0.0.1:3009 session "Check the auth module"
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
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
	return converse(ctx, client, log.New(os.Stdout, "", 0), prompt)
}

// converse is the whole of it.
func converse(ctx context.Context, client *sdk.Client, console *log.Logger, prompt string) (err error) {
	session, err := client.OpenSession(ctx, sdk.SessionConfig{CostTier: sdk.TierHybrid, QualityGates: true})
	if err != nil {
		return err
	}
	store := transcript.NewProgressStore[sdk.SessionProgress]()
	throttler := transcript.NewProgressThrottler(func(p sdk.SessionProgress) {
		store.Record("current-task", p)
		console.Printf("[%v%%] %s", p.Percentage, p.Phase)
	}, 200*time.Millisecond)

	unsubscribe := session.Subscribe(func(event *sdk.SessionEvent, err error) {
		if err != nil {
			console.Println("The stream has ended:", err)
			return
		}
		switch event.Type {
		case sdk.SessionStartEvent:
			console.Println("Session started:", event.Payload.SessionID)
		case sdk.TaskStartEvent:
			console.Println("Task started:", event.Payload.TaskType)
		case sdk.TaskProgressEvent:
			if event.Payload.Progress != nil {
				throttler.Push(*event.Payload.Progress)
			}
		case sdk.TaskCompleteEvent:
			throttler.Flush()
			console.Println("Task completed in", event.Payload.Duration, "ms")
		case sdk.TaskErrorEvent:
			throttler.Cancel()
			console.Println("Task error:", event.Payload.Error)
		case sdk.SessionCloseEvent:
			console.Println("Session closed")
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
	console.Println("Result:", result.Text())
	if result.QualityGatePassed != nil {
		console.Println("Quality gates:", *result.QualityGatePassed)
	}
	if newest, ok := store.Latest("current-task"); ok {
		console.Printf("The last progress was %v%%", newest.Percentage)
	}
	return nil
}
