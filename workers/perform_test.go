package workers_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
)

func TestPerform(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var reports []activities.AttemptReport
	perform := func(ctx context.Context, h sdk.HandlerFunc) (activities.AttemptReport, error) {
		reports = nil
		return workers.Perform(ctx, workers.Performance{
			AgentID: "a", Assignment: sdk.Assignment{Attempt: 1}, Handler: h, Now: func() time.Time { return now },
			Reported: func(r activities.AttemptReport) { reports = append(reports, r) }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
	}
	report, err := perform(t.Context(), func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
		r.Progress(sdk.Progress{Percentage: 40})
		return &sdk.Result{Output: json.RawMessage(`1`)}, r.Resume(json.RawMessage(`"kept"`))
	})
	if err != nil || string(report.Result.Output) != `1` || report.Result.Status != sdk.StatusCompleted || !report.StartedAt.Equal(now) {
		t.Errorf("%+v, %v", report, err)
	}
	if len(reports) != 2 || !reports[0].Progress.At.Equal(now) || string(reports[1].Resume) != `"kept"` {
		t.Errorf("it was told %+v", reports)
	}
	_, err = perform(t.Context(), func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) { panic("no") })
	if e, ok := errors.AsType[*temporal.ApplicationError](err); !ok || e.Type() != string(sdk.CodeAgentPanicked) {
		t.Errorf("a panic became %v", err)
	}
	ctx, end := context.WithCancelCause(t.Context())
	end(sdk.ErrCancelRequested)
	_, err = perform(ctx, func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		return nil, ctx.Err()
	})
	if !temporal.IsCanceledError(err) {
		t.Errorf("a cancelled attempt answered %v", err)
	}
}

func TestPerformTellsEveryProgressAtATimeOfItsOwn(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var told []sdk.Progress
	_, err := workers.Perform(t.Context(), workers.Performance{
		AgentID: "a", Assignment: sdk.Assignment{Attempt: 1},
		Now:      func() time.Time { now = now.Add(-time.Second); return now }, // it is set back all the time
		Reported: func(r activities.AttemptReport) { told = append(told, *r.Progress) },
		Handler: sdk.HandlerFunc(func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
			for range 3 {
				r.Progress(sdk.Progress{Percentage: 40})
			}
			return &sdk.Result{}, nil
		}),
	})
	if err != nil || len(told) != 3 || !told[1].At.After(told[0].At) || !told[2].At.After(told[1].At) {
		t.Errorf("it was told %+v, %v", told, err)
	}
}
