package workers

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"google.golang.org/grpc"

	"github.com/rolecall-dev/rolecall/sdk"
)

// polled begins an attempt that was brought by a poll sent so long ago.
func polled(w *roleWorker, ago time.Duration) (a *attempt, done <-chan struct{}) {
	w.polls.remember([]byte("token"), before(ago, 0))
	return begin(w, sdk.Assignment{})
}

// before is so long ago, on a machine that was suspended for another while since.
func before(ago, suspended time.Duration) moment {
	m := thisMoment()
	return moment{awake: m.awake.Add(-ago), wall: m.wall.Add(-ago - suspended)}
}

func TestAnAttemptThatIsCertainlyOursBeginsWithoutAHeartbeat(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		works time.Duration
		acts  func(sdk.Reporter)
		first time.Duration // of the heartbeats; 0: none
	}{
		"over soon":          {works: firstBeat / 2},
		"goes on":            {works: 2 * firstBeat, first: firstBeat},
		"progress at once":   {works: firstBeat / 2, acts: func(r sdk.Reporter) { pass(time.Millisecond); r.Progress(sdk.Progress{Percentage: 1}) }, first: time.Millisecond},
		"something to keep":  {works: firstBeat / 2, acts: func(r sdk.Reporter) { pass(time.Millisecond); _ = r.Resume([]byte(`7`)) }, first: time.Millisecond},
		"progress while due": {works: 2 * firstBeat, acts: func(r sdk.Reporter) { pass(firstBeat); r.Progress(sdk.Progress{}) }, first: firstBeat},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, arrived := &fakeTemporal{}, time.Now()
				w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
					if waited := time.Since(arrived); waited != 0 {
						t.Errorf("the handler began after %s", waited)
					}
					if tc.acts != nil {
						tc.acts(r)
					}
					pass(tc.works)
					return &sdk.Result{}, nil
				})
				_, done := polled(w, 10*time.Second)
				<-done
				if report := resultOf(t, f); report.Result == nil || report.StartedAt == nil {
					t.Errorf("the answer is %+v", report)
				}
				switch {
				case tc.first == 0 && len(f.beats) != 0:
					t.Errorf("%d heartbeats of an attempt that was over before the first was due", len(f.beats))
				case tc.first == 0:
				case len(f.beats) == 0 || f.beats[0].at.Sub(arrived) != tc.first:
					t.Errorf("heartbeats %+v, the first is due after %s", f.beats, tc.first)
				case f.beats[0].value.StartedAt == nil || f.beats[0].value.AgentID == "":
					t.Errorf("the first heartbeat says %+v", f.beats[0].value)
				}
			})
		})
	}
}

func TestAnAttemptWaitsForItsHeartbeat(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(w *roleWorker) (*attempt, <-chan struct{}){
		"the poll was too long ago": func(w *roleWorker) (*attempt, <-chan struct{}) { return polled(w, lapseAfter(testLease)/2) },
		"the attempt may be over by its own timeout": func(w *roleWorker) (*attempt, <-chan struct{}) {
			w.polls.remember([]byte("token"), before(3*time.Second, 0))
			return beginAs(w, activity.Info{StartToCloseTimeout: 5 * time.Second}, assigned(sdk.Assignment{}))
		},
		"the attempt may be over with its stage": func(w *roleWorker) (*attempt, <-chan struct{}) {
			w.polls.remember([]byte("token"), before(3*time.Second, 0))
			return beginAs(w, activity.Info{
				StartToCloseTimeout: time.Hour, ScheduledTime: time.Now().Add(-time.Minute), ScheduleToCloseTimeout: 65 * time.Second,
			}, assigned(sdk.Assignment{}))
		},
		"the machine was suspended since the poll": func(w *roleWorker) (*attempt, <-chan struct{}) {
			w.polls.remember([]byte("token"), before(time.Second, time.Hour))
			return begin(w, sdk.Assignment{})
		},
		"the clock was set back since the poll": func(w *roleWorker) (*attempt, <-chan struct{}) {
			w.polls.remember([]byte("token"), before(time.Second, -time.Minute))
			return begin(w, sdk.Assignment{})
		},
		"the poll is not known": func(w *roleWorker) (*attempt, <-chan struct{}) { return begin(w, sdk.Assignment{}) },
		"it is asked for": func(w *roleWorker) (*attempt, <-chan struct{}) {
			w.cfg.AcknowledgeStart = true
			return polled(w, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, arrived := &fakeTemporal{delay: 3 * time.Second}, time.Now()
				w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
					if waited := time.Since(arrived); waited != 3*time.Second {
						t.Errorf("the handler began after %s", waited)
					}
					return &sdk.Result{}, nil
				})
				_, done := start(w)
				<-done
				if n, err := f.answered(); n != 1 || err != nil {
					t.Errorf("%d answers, %v", n, err)
				}
			})
		})
	}
}

// late is an argument that takes its time to be read, as when the process is stopped meanwhile.
type late struct {
	encoded
	by time.Duration
}

func (l late) Get(into ...any) error {
	pass(l.by)
	return l.encoded.Get(into...)
}

func TestAnAttemptThatGetsOldBeforeItsHandlerBeginsWaitsForItsHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{beat: serviceerror.NewNotFound("another worker has it")}
		w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			t.Error("the handler began")
			return &sdk.Result{}, nil
		})
		w.polls.remember([]byte("token"), before(10*time.Second, 0))
		_, done := beginAs(w, activity.Info{}, late{assigned(sdk.Assignment{}), 5 * time.Second})
		<-done
		if len(f.beats) != 1 || len(f.answers) != 0 {
			t.Errorf("%d heartbeats and %d answers, want one and none", len(f.beats), len(f.answers))
		}
	})
}

func TestTheLeaseCountsFromThePoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, arrived := &fakeTemporal{cut: true}, time.Now()
		w := bench(t, f, 1, func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
			<-ctx.Done()
			if after := time.Since(arrived); after != lapseAfter(testLease)-10*time.Second || !errors.Is(context.Cause(ctx), sdk.ErrLeaseLost) {
				t.Errorf("stopped after %s: %v", after, context.Cause(ctx))
			}
			return nil, context.Cause(ctx)
		})
		_, done := polled(w, 10*time.Second)
		<-done
	})
}

func TestPollsAreRememberedByWhatTheyBring(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPolls()
		call := func(req any, token string, fails error) {
			var reply workflowservice.PollActivityTaskQueueResponse
			_ = p.intercept(t.Context(), "m", req, &reply, nil, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
				until, bounded := ctx.Deadline()
				if _, poll := req.(*workflowservice.PollActivityTaskQueueRequest); bounded != poll || poll && time.Until(until) != pollTimeout {
					t.Errorf("%T: bounded %t, %s", req, bounded, time.Until(until))
				}
				pass(5 * time.Second)
				reply.TaskToken = []byte(token)
				return fails
			})
		}
		poll := &workflowservice.PollActivityTaskQueueRequest{}
		sent := thisMoment()
		call(poll, "a", nil)
		call(poll, "", nil)
		call(poll, "b", errors.New("away"))
		call(&workflowservice.RespondActivityTaskCompletedRequest{}, "c", nil)
		if len(p.sent) != 1 {
			t.Errorf("remembers %v", p.sent)
		}
		if at, known := p.take([]byte("a")); !known || at != sent {
			t.Errorf("the poll was sent at %v, known %t; want %v", at, known, sent)
		}
		if _, known := p.take([]byte("a")); known {
			t.Error("a poll is answered twice")
		}
		for i := range 2 * maxPolled {
			p.remember([]byte(fmt.Sprint(i)), sent)
		}
		if len(p.sent) > maxPolled {
			t.Errorf("remembers %d polls", len(p.sent))
		}
	})
}
