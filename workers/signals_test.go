package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestAShortAttemptSendsNoSignals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{}
		w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
			r.Progress(sdk.Progress{Percentage: 50})
			pass(startedAfter - time.Millisecond)
			return &sdk.Result{}, nil
		})
		_, done := begin(w, sdk.Assignment{})
		<-done
		if len(f.signals) != 0 {
			t.Errorf("sent %+v", f.signals)
		}
		if report := resultOf(t, f); report.Progress == nil || report.Progress.Percentage != 50 || report.N != 0 || report.StartedAt == nil {
			t.Errorf("the answer says %+v", report)
		}
	})
}

func TestProgressIsSignalledThrottledAndItsLastIsInTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, began := &fakeTemporal{}, time.Now()
		w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
			for i := range 34 {
				r.Progress(sdk.Progress{Percentage: float64(i)})
				pass(100 * time.Millisecond)
			}
			return &sdk.Result{}, nil
		})
		_, done := begin(w, sdk.Assignment{})
		<-done
		started := named[workflows.AttemptStartedInput](f, workflows.AttemptStarted.Name)
		if len(started) != 1 || started[0].at.Sub(began) != startedAfter || started[0].value.AgentID != "agent-1" {
			t.Errorf("started signals: %+v", started)
		}
		var got []string
		for i, p := range named[workflows.TaskProgressedInput](f, workflows.TaskProgressed.Name) {
			got = append(got, fmt.Sprint(p.at.Sub(began).Milliseconds(), ":", p.value.Progress.Percentage))
			if p.value.N != i+1 {
				t.Errorf("signal %d has n %d", i+1, p.value.N)
			}
		}
		if len(got) != 4 || !strings.HasPrefix(got[3], "3200:") {
			t.Errorf("progress signals %v, want one a second and none for the answer", got)
		}
		if report := resultOf(t, f); report.N != len(got) || report.Progress.Percentage != 33 {
			t.Errorf("the answer to %d signals says %d of them and %+v", len(got), report.N, report.Progress)
		}
	})
}

func TestALongTaskSendsFewSignals(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before time.Duration // how long the task has been going on
		runs   time.Duration
		most   int
	}{
		"an hour":                       {0, time.Hour, 310},
		"a day":                         {0, 24 * time.Hour, 510},
		"an hour of a task of ten days": {240 * time.Hour, time.Hour, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeTemporal{}
				w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
					for end := time.Now().Add(tc.runs); time.Now().Before(end); pass(500 * time.Millisecond) {
						r.Progress(sdk.Progress{Percentage: 1})
					}
					r.Progress(sdk.Progress{Percentage: 99})
					return &sdk.Result{}, nil
				})
				task := sdk.Assignment{}
				if tc.before > 0 {
					at := time.Now().Add(-tc.before)
					task.Task.StartedAt = &at
				}
				_, done := begin(w, task)
				<-done
				got := named[workflows.TaskProgressedInput](f, workflows.TaskProgressed.Name)
				if len(got) > tc.most || len(got) < tc.most/2 {
					t.Errorf("%d progress signals, want about %d", len(got), tc.most)
				}
				if report := resultOf(t, f); report.Progress.Percentage != 99 || report.N != len(got) {
					t.Errorf("the answer to %d signals says %d of them and %+v", len(got), report.N, report.Progress)
				}
			})
		})
	}
}

func TestSignalsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{}
		w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
			for range 100 {
				r.Progress(sdk.Progress{Percentage: 1})
				pass(time.Second)
			}
			r.Progress(sdk.Progress{Percentage: 99})
			return &sdk.Result{}, nil
		})
		a, done := begin(w, sdk.Assignment{})
		synctest.Wait()
		a.reporter.mu.Lock()
		a.reporter.signals = maxSignals - 10
		a.reporter.mu.Unlock()
		<-done
		got := named[workflows.TaskProgressedInput](f, workflows.TaskProgressed.Name)
		if last := got[len(got)-1].value; len(got) != 10 || last.N != maxSignals {
			t.Errorf("%d signals, the last %+v; want 10, the last being number %d", len(got), last, maxSignals)
		}
		if report := resultOf(t, f); report.Progress.Percentage != 99 {
			t.Errorf("the answer says %+v", report.Progress)
		}
	})
}

func TestEveryAnswerCarriesTheLastProgressAndNoSignalRepeatsIt(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*roleWorker, context.Context) (*sdk.Result, error){
		"result":       func(*roleWorker, context.Context) (*sdk.Result, error) { return &sdk.Result{}, nil },
		"failure":      func(*roleWorker, context.Context) (*sdk.Result, error) { return nil, errors.New("broken") },
		"question":     func(*roleWorker, context.Context) (*sdk.Result, error) { return nil, &sdk.InputRequired{Prompt: "?"} },
		"interruption": func(w *roleWorker, ctx context.Context) (*sdk.Result, error) { w.cut(); return nil, context.Cause(ctx) },
		"refused": func(w *roleWorker, _ context.Context) (*sdk.Result, error) {
			w.port.(*fakeTemporal).set(func(f *fakeTemporal) { f.refuse = errors.New("too large") })
			return &sdk.Result{}, nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeTemporal{}
			var w *roleWorker
			w = bench(t, f, 1, func(ctx context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
				r.Progress(sdk.Progress{Percentage: 10})
				pass(500 * time.Millisecond)
				r.Progress(sdk.Progress{Percentage: 77})
				return end(w, ctx)
			})
			_, done := begin(w, sdk.Assignment{})
			<-done
			got := named[workflows.TaskProgressedInput](f, workflows.TaskProgressed.Name)
			if len(got) != 1 || got[0].value.Progress.Percentage != 10 {
				t.Errorf("%s: progress signals %+v, want the first progress only", name, got)
			}
			last := f.answers[len(f.answers)-1].value
			report, ok := last.Result.(activities.AttemptReport)
			if !ok {
				report = reportOf(t, last.Err)
			}
			if report.Progress == nil || report.Progress.Percentage != 77 || report.N != 1 {
				t.Errorf("%s: the answer carries %+v", name, report)
			}
		})
	}
}

func TestNoSignalIsMadeOnceTheHandlerHasReturned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{}
		w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
			f.set(func(f *fakeTemporal) { f.deaf = 1 })
			r.Progress(sdk.Progress{Percentage: 77})
			pass(startedAfter + 50*time.Millisecond) // the start's answer is lost, and its second try has yet to come
			return &sdk.Result{}, nil
		})
		_, done := begin(w, sdk.Assignment{})
		<-done
		if len(f.unsure) != 1 || len(f.signals) != 0 {
			t.Errorf("signals %+v, and in vain %+v", f.signals, f.unsure)
		}
		if report := resultOf(t, f); report.Progress.Percentage != 77 || report.N != 0 {
			t.Errorf("the answer says %+v", report)
		}
	})
}

// TestTheAnswerWaitsForASignalThatWasTried: it counts it, so the run must not get it later.
func TestTheAnswerWaitsForASignalThatWasTried(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		trouble, over func(*fakeTemporal)
		after         time.Duration // the handler's end, it is over
		got           int
		latest        time.Duration // of the answer, after the handler's end
	}{
		"its answer is lost":       {func(f *fakeTemporal) { f.deaf = 1 }, func(*fakeTemporal) {}, 0, 1, time.Second},
		"its answers are lost":     {func(f *fakeTemporal) { f.deaf = 1_000_000 }, func(*fakeTemporal) {}, 0, 0, testLease},
		"Temporal is away":         {func(f *fakeTemporal) { f.away = true }, func(f *fakeTemporal) { f.away = false }, 20 * time.Second, 1, 22 * time.Second},
		"Temporal does not answer": {func(f *fakeTemporal) { f.cut = true }, func(f *fakeTemporal) { f.cut = false }, 20 * time.Second, 1, 32 * time.Second},
		"it is away until the lease has lapsed": {func(f *fakeTemporal) { f.away = true }, func(f *fakeTemporal) { f.away = false },
			testLease + lateAnswerMargin/2, 0, testLease + lateAnswerMargin},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeTemporal{trouble: tc.trouble}
				var returned time.Time
				w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
					pass(time.Second)
					r.Progress(sdk.Progress{Percentage: 77})
					for troubled := false; !troubled; pass(time.Millisecond) {
						f.set(func(f *fakeTemporal) { troubled = f.trouble == nil })
					}
					returned = time.Now()
					return &sdk.Result{}, nil
				})
				_, done := begin(w, sdk.Assignment{})
				pass(tc.after + 2*time.Second)
				f.set(tc.over)
				<-done
				got := named[workflows.TaskProgressedInput](f, workflows.TaskProgressed.Name)
				if len(got) != tc.got {
					t.Errorf("signals %+v, want %d", got, tc.got)
				}
				if len(f.answers) != 1 {
					t.Fatalf("answers: %+v", f.answers)
				}
				at := f.answers[0].at
				if len(got) > 0 && got[0].at.After(at) || at.Sub(returned) > tc.latest {
					t.Errorf("answered %s after the handler's end, signals %+v", at.Sub(returned), got)
				}
				if report := resultOf(t, f); report.Progress.Percentage != 77 || report.N != 1 {
					t.Errorf("the answer says %+v", report)
				}
			})
		})
	}
}

// Heartbeats take long, or fail; signals get through.
func TestSignalsWaitForTheHeartbeatThatCarriesThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, began := &fakeTemporal{}, time.Now()
		w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
			for i := range 300 {
				switch i {
				case 50:
					f.set(func(f *fakeTemporal) { f.delay = 2500 * time.Millisecond })
				case 150:
					f.set(func(f *fakeTemporal) { f.lost = true })
				case 250:
					f.set(func(f *fakeTemporal) { f.lost, f.delay = false, 0 })
				}
				r.Progress(sdk.Progress{Percentage: float64(i)})
				pass(100 * time.Millisecond)
			}
			return &sdk.Result{}, nil
		})
		_, done := begin(w, sdk.Assignment{})
		<-done
		parts := map[int]int{} // signals for each ten seconds
		for _, p := range named[workflows.TaskProgressedInput](f, workflows.TaskProgressed.Name) {
			second := int(p.at.Sub(began) / time.Second)
			parts[second/5]++
			if second >= 16 && second < 25 {
				t.Errorf("signal %+v while no heartbeat was acknowledged", p.value)
			}
		}
		if parts[0] < 4 || parts[1] < 1 || parts[1] > 3 || parts[5] < 4 {
			t.Errorf("signals in each 5 s: %v; want one a second while heartbeats are quick, and one for each slow heartbeat", parts)
		}
		if report := resultOf(t, f); report.N != len(named[workflows.TaskProgressedInput](f, workflows.TaskProgressed.Name)) {
			t.Errorf("the answer says %d", report.N)
		}
	})
}

func TestTheStartIsSignalledWhenAHeartbeatHasToldIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const slow = 900 * time.Millisecond
		f, began := &fakeTemporal{delay: slow}, time.Now()
		w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			pass(5 * time.Second)
			return &sdk.Result{}, nil
		})
		w.polls.remember([]byte("token"), thisMoment()) // so that the handler begins before the first heartbeat
		_, done := begin(w, sdk.Assignment{})
		<-done
		got := named[workflows.AttemptStartedInput](f, workflows.AttemptStarted.Name)
		if len(got) != 1 || got[0].at.Sub(began) != firstBeat+slow {
			t.Errorf("started signals: %+v, want one after %s", got, firstBeat+slow)
		}
	})
}

func TestASignalThatIsTriedAgainIsTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{}
		w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
			r.Progress(sdk.Progress{Percentage: 1})
			pass(300 * time.Millisecond)
			f.set(func(f *fakeTemporal) { f.deaf = 3 })
			for i := range 30 {
				r.Progress(sdk.Progress{Percentage: float64(2 + i)})
				pass(100 * time.Millisecond)
			}
			return &sdk.Result{}, nil
		})
		_, done := begin(w, sdk.Assignment{})
		<-done
		var list []string
		for _, p := range named[workflows.TaskProgressedInput](f, workflows.TaskProgressed.Name) {
			list = append(list, fmt.Sprint(p.value.N, ":", p.value.Progress.Percentage))
		}
		if len(list) < 3 || !strings.HasPrefix(list[0], "1:") || !strings.HasPrefix(list[1], "2:") {
			t.Errorf("progress signals %v, want each number once, from 1 on", list)
		}
		if len(f.unsure) != 3 {
			t.Fatalf("%d signals were tried in vain, want 3", len(f.unsure))
		}
		for _, u := range f.unsure {
			if second := named[workflows.TaskProgressedInput](f, workflows.TaskProgressed.Name)[1].value; u.arg != any(second) {
				t.Errorf("tried %+v, and then %+v", u.arg, second)
			}
		}
	})
}

// TestASignalIsGivenUpWhenTheAnswerIsDue, not after one more pause.
func TestASignalIsGivenUpWhenTheAnswerIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		returned, began := make(chan struct{}), time.Now()
		close(returned)
		due := began.Add(3*retryMost + time.Millisecond)
		s := &signals{
			port: &fakeTemporal{away: true}, held: func() bool { return true }, answerBy: func() time.Time { return due },
			log: slog.New(slog.DiscardHandler), done: returned,
		}
		s.send(t.Context(), workflows.TaskProgressed.Name, workflows.TaskProgressedInput{})
		if !time.Now().Equal(due) {
			t.Errorf("given up after %s, want %s", time.Since(began), due.Sub(began))
		}
	})
}
