package workers

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// resultOf is the report of the one answer that was given.
func resultOf(t *testing.T, f *fakeTemporal) activities.AttemptReport {
	t.Helper()
	if len(f.answers) != 1 {
		t.Fatalf("%d answers, want 1", len(f.answers))
	}
	opts := f.answers[0].value
	if opts.Err != nil {
		t.Fatalf("the attempt failed: %v", opts.Err)
	}
	report, ok := opts.Result.(activities.AttemptReport)
	if !ok {
		t.Fatalf("answered %T", opts.Result)
	}
	return report
}

func TestASecondAttemptWaitsForTheSlotAndSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{}
		running := 0
		w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			if running++; running > 1 {
				t.Error("two handlers run on one slot")
			}
			defer func() { running-- }()
			pass(5 * time.Second)
			return &sdk.Result{}, nil
		})
		_, first := begin(w, sdk.Assignment{})
		synctest.Wait()
		_, second := begin(w, sdk.Assignment{})
		pass(4 * time.Second)
		waiting := 0
		f.set(func(f *fakeTemporal) {
			for _, b := range f.beats {
				if b.value.StartedAt == nil {
					waiting++
				}
			}
		})
		if waiting < 4 {
			t.Errorf("%d heartbeats of the attempt that waits, want one a second", waiting)
		}
		<-first
		<-second
		if len(f.answers) != 2 || f.answers[1].value.Err != nil {
			t.Errorf("answers %+v", f.answers)
		}
	})
}

func TestDrainAndCancelEndTheWaitForASlot(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(*roleWorker, *attempt)
		want func(error) bool
	}{
		"drain":  {func(w *roleWorker, _ *attempt) { w.begin() }, isInterrupted},
		"cancel": {func(_ *roleWorker, a *attempt) { a.replied(replyCancelled) }, temporal.IsCanceledError},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeTemporal{}
			w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
				pass(time.Minute)
				return &sdk.Result{}, nil
			})
			_, first := begin(w, sdk.Assignment{})
			synctest.Wait()
			a, second := begin(w, sdk.Assignment{})
			synctest.Wait()
			tc.do(w, a)
			synctest.Wait()
			select {
			case <-second:
			default:
				t.Errorf("%s: the attempt still waits", name)
			}
			if n, err := f.answered(); n != 1 || !tc.want(err) {
				t.Errorf("%s: %d answers, the last %v", name, n, err)
			}
			<-first
		})
	}
}

func TestAnAttemptThatFindsNoSlotIsGivenBackUnstarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{}
		w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			pass(time.Hour)
			return &sdk.Result{}, nil
		})
		_, first := begin(w, sdk.Assignment{})
		synctest.Wait()
		began := time.Now()
		var others []<-chan struct{}
		for range 4 {
			_, done := begin(w, sdk.Assignment{Resume: json.RawMessage(`{"step":7}`)})
			others = append(others, done)
		}
		for _, done := range others {
			<-done
		}
		if took := time.Since(began); took < pollTimeout || took > 15*time.Second {
			t.Errorf("given back after %s", took)
		}
		f.set(func(f *fakeTemporal) {
			for _, a := range f.answers {
				if report := reportOf(t, a.value.Err); !isInterrupted(a.value.Err) || report.StartedAt != nil || string(report.Resume) != `{"step":7}` {
					t.Errorf("answered %v with %+v, want an interruption that never started", a.value.Err, report)
				}
			}
		})
		<-first
		if len(f.answers) != 5 || !w.slots.tryTake() || w.slots.tryTake() {
			t.Errorf("%d answers, or there is not exactly one slot any more", len(f.answers))
		}
	})
}

func TestAnAttemptThatArrivesWhileDrainingIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{}
		w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			t.Error("the handler was called")
			return &sdk.Result{}, nil
		})
		w.begin()
		_, done := begin(w, sdk.Assignment{})
		<-done
		if len(f.answers) != 1 || !isInterrupted(f.answers[0].value.Err) {
			t.Errorf("answered %+v", f.answers)
		}
	})
}

func TestInterruptionKeepsResumeDataAndLeavesASuccessAlone(t *testing.T) {
	t.Parallel()
	for _, succeeds := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeTemporal{}
			w := bench(t, f, 1, func(ctx context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
				if err := r.Resume(json.RawMessage(`{"step":7}`)); err != nil {
					t.Error(err)
				}
				<-ctx.Done()
				if succeeds {
					return &sdk.Result{}, nil
				}
				return nil, sdk.Final("killed", errors.New("signal: terminated"))
			})
			_, done := begin(w, sdk.Assignment{})
			synctest.Wait()
			w.cut()
			<-done
			if succeeds {
				resultOf(t, f)
				return
			}
			if len(f.answers) != 1 || !isInterrupted(f.answers[0].value.Err) {
				t.Fatalf("answered %+v", f.answers)
			}
			if got := reportOf(t, f.answers[0].value.Err); string(got.Resume) != `{"step":7}` {
				t.Errorf("the answer keeps %q", got.Resume)
			}
		})
	}
}

func TestNobodyAnswersWhileTheHandlerRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, let := &fakeTemporal{}, make(chan struct{})
		w := bench(t, f, 1, func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
			<-let
			return nil, context.Cause(ctx)
		})
		a, done := begin(w, sdk.Assignment{})
		synctest.Wait()
		a.replied(replyCancelled)
		pass(time.Minute)
		if n, _ := f.answered(); n != 0 || w.slots.tryTake() {
			t.Error("the attempt was answered, or its slot is free, while its handler runs")
		}
		close(let)
		<-done
		if len(f.answers) != 1 || !temporal.IsCanceledError(f.answers[0].value.Err) {
			t.Errorf("answered %+v", f.answers)
		}
	})
}

func TestAWorkerThatEndsLeavesADeafHandlerBehindUnanswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, let := &fakeTemporal{}, make(chan struct{})
		w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			<-let
			return &sdk.Result{}, nil
		})
		_, done := begin(w, sdk.Assignment{})
		synctest.Wait()
		w.cut()
		w.abandon()
		<-done
		if len(f.answers) != 0 || w.left.Load() != 1 {
			t.Errorf("answers %+v, %d left behind; want none and one", f.answers, w.left.Load())
		}
		close(let)
	})
}

func TestPanicsBecomeFailures(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]func(){
		"panic":  func() { panic(strings.Repeat("x", 10_000)) },
		"goexit": runtime.Goexit,
		"nil":    func() { var m map[string]int; m["a"] = 1 }, //nolint:govet,staticcheck // the panic is the point
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeTemporal{}
			w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
				h()
				return &sdk.Result{}, nil
			})
			_, done := begin(w, sdk.Assignment{})
			<-done
			e, ok := errors.AsType[*temporal.ApplicationError](f.answers[0].value.Err)
			if !ok || e.Type() != string(sdk.CodeAgentPanicked) || e.NonRetryable() || !strings.HasPrefix(e.Message(), "the agent panicked") ||
				len(e.Message()) > sdk.MaxErrorMessage || strings.Contains(e.Message(), ".go:") {
				t.Errorf("%s: answered %v", name, f.answers[0].value.Err)
			}
		})
	}
}

func TestAnUnreadableAssignmentIsRefused(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]encoded{
		"not an object": {"text"}, "wrong type": {map[string]any{"attempt": "one"}}, "empty": {map[string]any{}},
		"no attempt": {map[string]any{"task": map[string]any{"id": "t"}}},
	} {
		a := bench(t, &fakeTemporal{}, 1, nil).newAttempt(t.Context(), activity.Info{})
		err := a.read(activities.ExecuteTaskName, args, activities.AttemptReport{})
		e, ok := errors.AsType[*temporal.ApplicationError](err)
		if !ok || e.Type() != string(sdk.CodeInvalidInput) || !e.NonRetryable() {
			t.Errorf("%s: %v", name, err)
		}
	}
}
