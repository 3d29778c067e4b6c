package workers

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// What a signal adds to a history, itself, a workflow task of three events and that its event was published, and what a run of one attempt has beside its
// progress signals at the most. TestProgressIsThrottledOnItsWayIntoHistory in dev/e2e counts both on a real server.
const (
	eventsOfASignal = 5
	eventsOfARun    = 23
)

func TestADayOfProgressStaysASmallHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const reports = 24 * 60 * 60 * 10
		f := &fakeTemporal{}
		w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
			every := time.NewTicker(100 * time.Millisecond)
			defer every.Stop()
			for i := range reports {
				<-every.C
				r.Progress(sdk.Progress{Percentage: float64(i+1) / reports * 100})
			}
			return &sdk.Result{}, nil
		})
		began := time.Now()
		_, done := begin(w, sdk.Assignment{})
		<-done
		if took := time.Since(began); took != 24*time.Hour {
			t.Errorf("the handler ran for %s", took)
		}
		got := named[workflows.TaskProgressedInput](f, workflows.TaskProgressed.Name)
		if last := got[len(got)-1].value; last.N != len(got) {
			t.Errorf("the last of %d progress signals is %+v", len(got), last)
		}
		if report := resultOf(t, f); report.Progress == nil || report.Progress.Percentage != 100 || report.N != len(got) {
			t.Errorf("the answer says %+v", report)
		}
		events := eventsOfARun + eventsOfASignal*len(got)
		if events >= 5000 {
			t.Errorf("%d reports make %d progress signals and %d events, want fewer than 5000", reports, len(got), events)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		t.Logf("%d reports: %d progress signals, at most %d events, %d heartbeats", reports, len(got), events, len(f.beats))
	})
}
