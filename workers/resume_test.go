package workers

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

func TestAPausedAttemptGoesOnWithItsOwnResumeData(t *testing.T) {
	t.Parallel()
	r := newReporter("agent-1", &sdk.Assignment{Attempt: 1, Resume: json.RawMessage(`1`), Task: sdk.Task{Progress: &sdk.Progress{Overall: 10}}})
	began := time.Now()
	r.goOn(activities.AttemptReport{N: 3, StartedAt: &began, Resume: json.RawMessage(`2`), Progress: &sdk.Progress{Overall: 60}})
	if first := r.heartbeat(); first.N != 3 || first.StartedAt == nil {
		t.Errorf("begins with the heartbeat %+v, which is behind the signals that were sent", first)
	}
	r.Progress(sdk.Progress{Percentage: 20})
	got := r.report()
	if string(got.Resume) != "2" || got.N != 3 || got.Progress.Overall != 60 || r.heartbeat().N != 4 {
		t.Errorf("goes on with %+v", got)
	}
}

// TestALaterExecutionsProgressIsLater: another machine's clock may be behind that of the one that had the attempt before.
func TestALaterExecutionsProgressIsLater(t *testing.T) {
	t.Parallel()
	ahead := time.Now().Add(time.Hour)
	r := newReporter("agent-1", &sdk.Assignment{Attempt: 1})
	r.goOn(activities.AttemptReport{Progress: &sdk.Progress{At: ahead}})
	r.Progress(sdk.Progress{Percentage: 20})
	first := r.report().Progress
	r.Progress(sdk.Progress{Percentage: 30})
	if second := r.report().Progress; !first.At.After(ahead) || !second.At.After(first.At) {
		t.Errorf("after %v come %v and %v", ahead, first.At, second.At)
	}
}

func TestWhatAHandlerWritesIntoItsAssignmentIsNotReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{}
		w := bench(t, f, 1, func(_ context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
			for i := range a.Resume {
				a.Resume[i] = 'x'
			}
			pass(2 * time.Second)
			return nil, errors.New("broken")
		})
		_, done := begin(w, sdk.Assignment{Resume: json.RawMessage(`{"step":7}`)})
		<-done
		if got := reportOf(t, f.answers[0].value.Err); string(got.Resume) != `{"step":7}` {
			t.Errorf("the answer keeps %q", got.Resume)
		}
		for _, b := range f.beats {
			if string(b.value.Resume) != `{"step":7}` {
				t.Errorf("a heartbeat keeps %q", b.value.Resume)
			}
		}
	})
}

func TestResumeNullIsNothingNew(t *testing.T) {
	t.Parallel()
	null := json.RawMessage(" null\n")
	r := newReporter("agent-1", &sdk.Assignment{Attempt: 1, Resume: json.RawMessage(`1`)})
	r.goOn(activities.AttemptReport{Resume: null})
	if err := r.Resume(null); err != nil {
		t.Errorf("Resume(null) = %v", err)
	}
	if got := r.report().Resume; string(got) != "1" {
		t.Errorf("keeps %q", got)
	}
	if got := newReporter("agent-1", &sdk.Assignment{Attempt: 1, Resume: null}).report().Resume; got != nil {
		t.Errorf("an assignment with a null keeps %q", got)
	}
}
