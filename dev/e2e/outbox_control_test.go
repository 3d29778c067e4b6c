package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workflows"
)

// With these flags the test binary is a control worker that kills itself between the publishing of events and the completion of the
// workflow task that told them.
var (
	outboxTemporal = flag.String("outbox-temporal", "", "run as a control worker on this Temporal")
	outboxNATS     = flag.String("outbox-nats", "", "with outbox-temporal: where the event log is")
	outboxDir      = flag.String("outbox-dir", "", "with outbox-temporal: where it notes what it has done")
)

// The plans of a task: what comes into its history in that moment. Its correlation id is a plan and the type of an event, as in
// "cancel task.progress".
const (
	planCancel = "cancel"
	planStale  = "stale" // a progress of an attempt that never was
	planAhead  = "ahead" // a progress of the attempt that has ended with the event, and which its end does not know of
)

// What a progress by plan says.
const plannedProgress = 77

// endsAttempt is the attempt that has ended with an event: stage and number.
func endsAttempt(t sdk.EventType) (stage, attempt int, ok bool) {
	switch t {
	case sdk.EventTaskRetrying:
		return 0, 1, true
	case sdk.EventTaskInputRequired:
		return 0, 2, true
	case sdk.EventTaskFallback:
		return 0, 3, true
	case sdk.EventTaskCompleted, sdk.EventCodeGenerated:
		return 1, 1, true
	default:
		return 0, 0, false
	}
}

// outboxControl is a control worker whose publisher has the plans of the tasks.
type outboxControl struct {
	temporal client.Client
	dir      string
	turn     sync.Mutex // of one plan: the process is killed at its end, and the others have their turn in the next one
}

func runOutboxControl() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log, err := eventlog.Open(ctx, eventlog.Config{URL: *outboxNATS, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	opts := client.Options{HostPort: *outboxTemporal, Logger: slog.New(slog.DiscardHandler), DataConverter: workflows.DataConverter()}
	c, err := workers.Dial(ctx, opts, slog.New(slog.DiscardHandler))
	if err != nil {
		return errors.Join(err, log.Close())
	}
	defer c.Close()
	o := &outboxControl{temporal: c, dir: *outboxDir}
	return errors.Join(workers.RunControl(ctx, workers.ControlConfig{
		FailOnPanic: true, Temporal: opts, Stories: log, AfterEvents: o.published, Logger: slog.New(slog.DiscardHandler),
	}), log.Close())
}

// published does what the plan of a task says, once, and kills the process.
func (o *outboxControl) published(in activities.PublishEventsInput) {
	plan, typ, ok := strings.Cut(in.Events[0].CorrelationID, " ")
	if !ok || !slices.ContainsFunc(in.Events, func(e sdk.Event) bool { return e.Type == sdk.EventType(typ) }) {
		return
	}
	o.turn.Lock()
	defer o.turn.Unlock()
	note, err := os.OpenFile(o.note(in.ID), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return // it was done
	}
	err = o.happens(plan, sdk.EventType(typ), workflows.TaskWorkflowID(in.Project, in.ID))
	_, wrote := fmt.Fprint(note, err)
	if wrote == nil {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // nothing comes after it
	}
}

// happens lets come into a run's history what the plan says. It has to be quick: the local activity that it is part of has 150 ms.
func (o *outboxControl) happens(plan string, typ sdk.EventType, id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if plan == planCancel {
		return errors.Join(
			o.temporal.SignalWorkflow(ctx, id, "", workflows.CancelRequested.Name, workflows.CancelRequestedInput{Reason: "by plan"}),
			o.temporal.CancelWorkflow(ctx, id, ""),
		)
	}
	in := workflows.TaskProgressedInput{Stage: 7, Attempt: 7, N: 7, Progress: sdk.Progress{Percentage: plannedProgress}}
	if plan == planAhead {
		in.Stage, in.Attempt, _ = endsAttempt(typ)
		in.N = 99
	}
	return o.temporal.SignalWorkflow(ctx, id, "", workflows.TaskProgressed.Name, in)
}

func (o *outboxControl) note(task string) string { return filepath.Join(o.dir, task) }
