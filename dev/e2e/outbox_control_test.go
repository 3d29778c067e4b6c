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
	planStale  = "stale"
)

// outboxControl is a control worker whose publisher has the plans of the tasks.
type outboxControl struct {
	temporal client.Client
	dir      string
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
	note, err := os.OpenFile(o.note(in.ID), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return // it was done
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	id := workflows.TaskWorkflowID(in.Project, in.ID)
	if plan == planCancel {
		err = errors.Join(
			o.temporal.SignalWorkflow(ctx, id, "", workflows.CancelRequested.Name, workflows.CancelRequestedInput{Reason: "by plan"}),
			o.temporal.CancelWorkflow(ctx, id, ""),
		)
	} else {
		err = o.temporal.SignalWorkflow(ctx, id, "", workflows.TaskProgressed.Name, workflows.TaskProgressedInput{
			Stage: 7, Attempt: 7, N: 7, Progress: sdk.Progress{Percentage: 77},
		})
	}
	_, wrote := fmt.Fprint(note, err)
	if errors.Join(wrote, note.Sync()) == nil {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // nothing comes after it
	}
}

func (o *outboxControl) note(task string) string { return filepath.Join(o.dir, task) }
