package workers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/rolecall-dev/rolecall/sdk"
)

// held is an attempt under a permit, as a Temporal worker holds it.
func held(t *testing.T, w *roleWorker) (done <-chan struct{}) {
	t.Helper()
	q := &queueSlots{shared: w.slots}
	if _, err := q.ReserveSlot(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	_, over := begin(w, sdk.Assignment{})
	released := make(chan struct{})
	go func() {
		<-over
		q.ReleaseSlot(nil)
		close(released)
	}()
	synctest.Wait()
	return released
}

func TestDrain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		work, deaf time.Duration // what the handler takes, and takes once its context has ended
		poll       time.Duration // how long another poll is under way
		pollsEnd   bool
		took       time.Duration
		clean      bool
	}{
		"idle":                           {took: 0, clean: true},
		"idle, a poll under way":         {poll: 7 * time.Second, took: 7 * time.Second, clean: true},
		"idle, the server ends the poll": {poll: 7 * time.Second, pollsEnd: true, took: 0, clean: true},
		"idle, a poll that hangs":        {poll: time.Minute, took: pollTimeout, clean: true},
		"done within the grace":          {work: 20 * time.Second, took: 20 * time.Second, clean: true},
		"interrupted after the grace":    {work: time.Hour, deaf: 3 * time.Second, took: DefaultDrainGrace + 3*time.Second, clean: true},
		"deaf":                           {work: time.Hour, deaf: time.Hour, took: DefaultDrainGrace + handlerStop, clean: false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeTemporal{}
				w := bench(t, f, 2, func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
					select {
					case <-time.After(tc.work):
						return &sdk.Result{}, nil
					case <-ctx.Done():
						pass(tc.deaf)
						return nil, context.Cause(ctx)
					}
				})
				if tc.work > 0 {
					held(t, w)
				}
				if tc.poll > 0 {
					q := &queueSlots{shared: w.slots}
					if _, err := q.ReserveSlot(t.Context(), nil); err != nil {
						t.Fatal(err)
					}
					time.AfterFunc(tc.poll, func() { q.ReleaseSlot(nil) })
				}
				began := time.Now()
				err := w.stop([]worker.Worker{}, tc.pollsEnd)
				if took := time.Since(began); took != tc.took || (err == nil) != tc.clean {
					t.Errorf("stopped after %s with %v, want %s and clean %t", took, err, tc.took, tc.clean)
				}
				n, answer := f.answered()
				if want := tc.work > 0 && tc.clean; (n == 1) != want || (tc.deaf > 0 && want && !isInterrupted(answer)) {
					t.Errorf("%d answers, the last %v", n, answer)
				}
				pass(2 * time.Hour) // the deaf handler and the polls end
			})
		})
	}
}

func TestAnswersOutliveTheDrainWhileTemporalIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, stopped := &fakeTemporal{}, errors.New("stopped")
		w := bench(t, f, 1, func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
			<-ctx.Done()
			return nil, stopped
		})
		w.cfg.DrainGrace = 0
		done := held(t, w)
		f.set(func(f *fakeTemporal) { f.away = true })
		time.AfterFunc(25*time.Second, func() { f.set(func(f *fakeTemporal) { f.away = false }) })
		if err := w.stop(nil, true); err != nil {
			t.Error(err)
		}
		<-done
		if n, err := f.answered(); n != 1 || !isInterrupted(err) {
			t.Errorf("%d answers, the last %v", n, err)
		}
	})
}
