package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// storyWait is how long the log may take to have the last event of a task or a plan that has ended.
const storyWait = 30 * time.Second

// replay reads the project's log from its first event, once every task and plan in it has its terminal one, and prints a line for each event.
func replay(ctx context.Context, c *sdk.Client, out io.Writer) error {
	var events []*sdk.Event
	if err := dev.Until(ctx, storyWait, func(ctx context.Context) (err error) {
		if events, err = history(ctx, c); err != nil {
			return err
		}
		return told(events)
	}); err != nil {
		return fmt.Errorf("the replay of the events: %w", err)
	}
	_, err := fmt.Fprintf(out, "\nwhat happened, replayed from the event log (GET /v1/events?after=0):\n%s", lines(events))
	return err
}

// history answers every event of the project's log.
func history(ctx context.Context, c *sdk.Client) ([]*sdk.Event, error) {
	var events []*sdk.Event
	for e, err := range c.Events(ctx, sdk.EventFilter{FromStart: true}) {
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// told returns nil when every task and plan that the events tell of has ended in them.
func told(events []*sdk.Event) error {
	open := map[string]bool{}
	for _, e := range events {
		switch e.Type {
		case sdk.EventTaskCreated, sdk.EventPlanCreated:
			open[e.Subject] = true
		case sdk.EventTaskCompleted, sdk.EventTaskFailed, sdk.EventTaskCancelled, sdk.EventPlanCompleted, sdk.EventPlanFailed, sdk.EventPlanCancelled:
			delete(open, e.Subject)
		default: // between the two
		}
	}
	switch {
	case len(events) == 0:
		return errors.New("the log is empty")
	case len(open) > 0:
		return fmt.Errorf("%d tasks and plans have no end in the log", len(open))
	default:
		return nil
	}
}

// lines are the events, each as its time, its sequence, its type, and what tells apart of whom it is.
func lines(events []*sdk.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "  %s  %4s  %-20s  %s\n", e.Time.Local().Format("15:04:05.000"), strings.TrimLeft(e.Sequence, "0"), e.Type, whose(e))
	}
	return b.String()
}

// whose is the step of a plan and what became of it, or the end of the id of a task.
func whose(e *sdk.Event) string {
	var s sdk.PlanStepped
	if e.Type == sdk.EventPlanStep && json.Unmarshal(e.Data, &s) == nil {
		return fmt.Sprintf("%s is %s", s.Step, s.To)
	}
	if len(e.Task) > 8 {
		return "…" + e.Task[len(e.Task)-8:]
	}
	return e.Task
}
