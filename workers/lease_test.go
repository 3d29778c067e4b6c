package workers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// endOf is when and why a handler's context ended.
type endOf struct {
	at    time.Time
	cause error
}

// untilEnd is a handler that works until its context ends.
func untilEnd(ends chan<- endOf) sdk.HandlerFunc {
	return func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		<-ctx.Done()
		ends <- endOf{time.Now(), context.Cause(ctx)}
		return nil, context.Cause(ctx)
	}
}

func TestHeartbeatsFromEntryToExit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, began := &fakeTemporal{}, time.Now()
		w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
			pass(2500 * time.Millisecond)
			r.Progress(sdk.Progress{Percentage: 40})
			pass(100 * time.Millisecond)
			r.Progress(sdk.Progress{Percentage: 30})
			pass(2 * time.Second)
			return &sdk.Result{}, nil
		})
		_, done := begin(w, sdk.Assignment{})
		<-done
		var at []time.Duration
		for _, b := range f.beats {
			at = append(at, b.at.Sub(began))
			if b.value.AgentID != "agent-1" || b.value.StartedAt == nil {
				t.Errorf("the heartbeat at %s says %+v", b.at.Sub(began), b.value)
			}
		}
		// Each second, at once at 2.5 s, and no sooner than 200 ms after that.
		want := []time.Duration{0, 1000, 2000, 2500, 2700, 3700}
		if len(at) != len(want) {
			t.Fatalf("heartbeats at %v, want %v", at, want)
		}
		for i := range want {
			if at[i] != want[i]*time.Millisecond {
				t.Fatalf("heartbeats at %v, want %v", at, want)
			}
		}
		if p := f.beats[4].value.Progress; p == nil || p.Percentage != 30 || p.Overall != 40 || p.Attempt != 1 {
			t.Errorf("the heartbeat carries %+v", p)
		}
	})
}

func TestTemporalAwayForLessThanTheLeaseIsNotNoticed(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*fakeTemporal, bool){
		"refuses": func(f *fakeTemporal, v bool) { f.away = v },
		"hangs":   func(f *fakeTemporal, v bool) { f.cut = v },
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeTemporal{}
			w := bench(t, f, 1, func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
				select {
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				case <-time.After(time.Minute):
					return &sdk.Result{}, nil
				}
			})
			_, done := begin(w, sdk.Assignment{})
			pass(10 * time.Second)
			f.set(func(f *fakeTemporal) { away(f, true) })
			pass(20 * time.Second)
			f.set(func(f *fakeTemporal) { away(f, false) })
			<-done
			if len(f.answers) != 1 || f.answers[0].value.Err != nil {
				t.Fatalf("%s: answered %+v, want one success", name, f.answers)
			}
		})
	}
}

func TestLapseCountsFromTheSendingOfTheLastAcknowledgedHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, ends := &fakeTemporal{delay: 3 * time.Second}, make(chan endOf, 1)
		w := bench(t, f, 1, untilEnd(ends))
		_, done := begin(w, sdk.Assignment{})
		pass(10 * time.Second)
		f.set(func(f *fakeTemporal) { f.cut = true })
		end := <-ends
		<-done
		if !errors.Is(end.cause, sdk.ErrLeaseLost) {
			t.Fatalf("the context ended with %v", end.cause)
		}
		last := f.beats[len(f.beats)-1].at.Add(-f.delay)
		if got, want := end.at.Sub(last), lapseAfter(testLease); got != want {
			t.Errorf("stopped %s after the last acknowledged heartbeat was sent, want %s", got, want)
		}
		if len(f.answers) != 0 {
			t.Errorf("answered %+v through a cut line", f.answers)
		}
	})
}

func TestAResultIsNotLostWhileTemporalIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{}
		w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			pass(5 * time.Second)
			return &sdk.Result{}, nil
		})
		_, done := begin(w, sdk.Assignment{})
		pass(4500 * time.Millisecond)
		f.set(func(f *fakeTemporal) { f.away = true })
		pass(testLease - time.Second)
		f.set(func(f *fakeTemporal) { f.away = false })
		<-done
		if len(f.answers) != 1 || f.answers[0].value.Err != nil {
			t.Fatalf("answered %+v, want one success", f.answers)
		}
	})
}

func TestAnAnswerIsGivenUpWhenTheLeaseIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, began := &fakeTemporal{}, time.Now()
		w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			f.set(func(f *fakeTemporal) { f.away = true })
			return &sdk.Result{}, nil
		})
		_, done := begin(w, sdk.Assignment{})
		<-done
		if took := time.Since(began); took != testLease+lateAnswerMargin {
			t.Errorf("tried for %s, want %s", took, testLease+lateAnswerMargin)
		}
	})
}

// A process that was stopped finds its timers and the answers it waited for in any order when it goes on.
func TestAWorkerThatWasStoppedSendsNothingBeforeItSeesTheLapse(t *testing.T) {
	t.Parallel()
	f, lapsed := &fakeTemporal{}, 0
	l := &lease{port: f, length: testLease, onLapse: func() { lapsed++ }, details: func() activities.AttemptReport { return activities.AttemptReport{} }}
	l.begin(moment{}, 0)
	l.sent = l.sent.Add(-lapseAfter(testLease))
	if l.once(t.Context(), time.Now()) || len(f.beats) != 0 || lapsed != 1 {
		t.Errorf("sent %d heartbeats, saw %d lapses; want none and one", len(f.beats), lapsed)
	}
	s := &signals{port: f, held: l.held}
	if s.send(t.Context(), "attempt-started", nil); len(f.signals) != 0 {
		t.Error("sent a signal for an attempt that another worker may have")
	}
}

func TestWhatAHeartbeatIsAnswered(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		beat   error
		cause  error
		answer func(error) bool
	}{
		"cancel requested": {temporal.NewCanceledError(), sdk.ErrCancelRequested, temporal.IsCanceledError},
		"paused":           {activity.ErrActivityPaused, sdk.ErrInterruptedAttempt, isInterrupted},
		"reset":            {activity.ErrActivityReset, sdk.ErrInterruptedAttempt, isInterrupted},
		"gone":             {serviceerror.NewNotFound("no such attempt"), sdk.ErrLeaseLost, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, ends := &fakeTemporal{}, make(chan endOf, 1)
			w := bench(t, f, 1, untilEnd(ends))
			_, done := begin(w, sdk.Assignment{Resume: []byte(`"kept"`)})
			pass(1500 * time.Millisecond)
			f.set(func(f *fakeTemporal) { f.beat = tc.beat })
			end := <-ends
			<-done
			if !errors.Is(end.cause, tc.cause) {
				t.Errorf("%s: the context ended with %v, want %v", name, end.cause, tc.cause)
			}
			switch {
			case tc.answer == nil:
				if len(f.answers) != 0 {
					t.Errorf("%s: answered %v, which nobody wants", name, f.answers[0].value.Err)
				}
			case len(f.answers) != 1 || !tc.answer(f.answers[0].value.Err):
				t.Errorf("%s: answered %+v", name, f.answers)
			default:
				if got := reportOf(t, f.answers[0].value.Err); string(got.Resume) != `"kept"` {
					t.Errorf("%s: the answer keeps %q", name, got.Resume)
				}
			}
		})
	}
}

func isInterrupted(err error) bool {
	e, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && e.Type() == string(sdk.CodeInterrupted) && !e.NonRetryable()
}

// reportOf is the report that an answer's error carries.
func reportOf(t *testing.T, err error) (r activities.AttemptReport) {
	t.Helper()
	var detailed interface{ Details(...any) error }
	if !errors.As(err, &detailed) {
		t.Fatalf("%v has no details", err)
	}
	if err := detailed.Details(&r); err != nil {
		t.Fatal(err)
	}
	return r
}
