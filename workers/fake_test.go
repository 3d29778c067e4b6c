package workers

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// fakeTemporal records the calls about one attempt and answers them as it is told.
type fakeTemporal struct {
	mu      sync.Mutex
	away    bool          // calls fail as when nothing listens
	cut     bool          // calls hang until their context ends
	beat    error         // what a heartbeat is answered with
	refuse  error         // what an answer is answered with
	delay   time.Duration // of a heartbeat's acknowledgement
	beats   []call[activities.AttemptReport]
	signals []call[sent]
	answers []call[client.CompleteActivityOptions]
	lost    bool                                // heartbeats are not acknowledged
	deaf    int                                 // so many signals more are not acknowledged, although they arrive
	unsure  []sent                              // those
	trouble func(*fakeTemporal)                 // begins with the first progress signal; nil once it has, or none does
	begun   int                                 // attempts, each of a run of its own
	last    map[string]activities.AttemptReport // the last heartbeat that was kept, by run
	behind  []string                            // signals that said more than the last heartbeat that was kept
}

type call[T any] struct {
	at    time.Time
	value T
}

type sent struct {
	name string
	arg  any
}

func (f *fakeTemporal) set(change func(*fakeTemporal)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// reach is the way to Temporal: an error where it cannot be reached.
func (f *fakeTemporal) reach(ctx context.Context, delay time.Duration) error {
	f.mu.Lock()
	away, cut := f.away, f.cut
	f.mu.Unlock()
	switch {
	case cut:
		<-ctx.Done()
		return ctx.Err()
	case away:
		return serviceerror.NewUnavailable("nothing listens")
	case delay > 0:
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (f *fakeTemporal) RecordActivityHeartbeatWithOptions(ctx context.Context, opts client.RecordActivityHeartbeatOptions) error {
	f.mu.Lock()
	delay, lost := f.delay, f.lost
	f.mu.Unlock()
	if lost {
		return serviceerror.NewUnavailable("heartbeats are lost")
	}
	if err := f.reach(ctx, delay); err != nil {
		return err
	}
	report, ok := opts.Details[0].(activities.AttemptReport)
	if !ok {
		return serviceerror.NewInvalidArgument("the details are no report")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beats = append(f.beats, call[activities.AttemptReport]{time.Now(), report})
	if f.last == nil {
		f.last = map[string]activities.AttemptReport{}
	}
	f.last[opts.WorkflowID] = report
	return f.beat
}

func (f *fakeTemporal) CompleteActivityWithOptions(ctx context.Context, opts client.CompleteActivityOptions) error {
	if err := f.reach(ctx, 0); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers = append(f.answers, call[client.CompleteActivityOptions]{time.Now(), opts})
	return f.refuse
}

func (f *fakeTemporal) SignalWorkflow(ctx context.Context, run, _, name string, arg any) error {
	f.begins(name)
	if err := f.reach(ctx, 0); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.compare(run, arg)
	if f.deaf > 0 {
		f.deaf--
		f.unsure = append(f.unsure, sent{name, arg})
		return serviceerror.NewUnavailable("the answer is lost")
	}
	f.signals = append(f.signals, call[sent]{time.Now(), sent{name, arg}})
	return nil
}

// begins lets the trouble begin, if it does with this signal.
func (f *fakeTemporal) begins(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.trouble != nil && name == workflows.TaskProgressed.Name {
		f.trouble(f)
		f.trouble = nil
	}
}

// compare notes a signal that says more than the last heartbeat that was kept.
func (f *fakeTemporal) compare(run string, arg any) {
	kept := f.last[run]
	switch in := arg.(type) {
	case workflows.AttemptStartedInput:
		if kept.StartedAt == nil {
			f.behind = append(f.behind, fmt.Sprintf("%+v, and the heartbeat says %+v", in, kept))
		}
	case workflows.TaskProgressedInput:
		if kept.N < in.N || kept.Progress == nil || kept.Progress.At.Before(in.Progress.At) {
			f.behind = append(f.behind, fmt.Sprintf("%+v, and the heartbeat says %+v", in, kept))
		}
	}
}

// answered is how many answers there are, and the last one's error.
func (f *fakeTemporal) answered() (n int, last error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n = len(f.answers); n > 0 {
		last = f.answers[n-1].value.Err
	}
	return n, last
}

// pass lets time go by. It belongs into a synctest bubble, whose time costs nothing.
func pass(d time.Duration) { <-time.After(d) }

// named are the arguments of the signals of one name.
func named[T any](f *fakeTemporal, name string) []call[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []call[T]
	for _, s := range f.signals {
		if arg, ok := s.value.arg.(T); ok && s.value.name == name {
			list = append(list, call[T]{s.at, arg})
		}
	}
	return list
}

// bench is a role worker without Temporal workers: attempts are handed to it directly. In every test no signal may be ahead of the
// heartbeat that Temporal keeps.
func bench(t *testing.T, f *fakeTemporal, slots int, h sdk.HandlerFunc) *roleWorker {
	t.Helper()
	t.Cleanup(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, ahead := range f.behind {
			t.Errorf("a signal went out before the heartbeat that carries it: %s", ahead)
		}
	})
	cfg := Config{AgentID: "agent-1", Roles: []sdk.Role{sdk.RoleCoder}, Slots: slots, Logger: slog.New(slog.DiscardHandler)}
	return newRoleWorker(context.Background(), cfg.withDefaults(), h, f)
}

const testLease = 30 * time.Second

// begin starts an attempt; done is closed once it is over.
func begin(w *roleWorker, task sdk.Assignment) (a *attempt, done <-chan struct{}) {
	return beginAs(w, activity.Info{}, assigned(task))
}

// assigned is a task as an attempt is given it.
func assigned(task sdk.Assignment) encoded {
	task.Task.ID, task.Attempt, task.MaxAttempts = "t1", max(task.Attempt, 1), 3
	return encoded{task}
}

// beginAs starts an attempt with the timeouts of info.
func beginAs(w *roleWorker, info activity.Info, args converter.EncodedValues) (a *attempt, done <-chan struct{}) {
	over := make(chan struct{})
	info.TaskToken, info.TaskQueue, info.ActivityID = []byte("token"), "default.coder", "0.1"
	info.HeartbeatTimeout, info.StartedTime = testLease, time.Now()
	w.port.(*fakeTemporal).set(func(f *fakeTemporal) {
		f.begun++
		info.WorkflowExecution.ID = fmt.Sprint("task:default:t", f.begun)
	})
	w.pace.enter()
	a = w.newAttempt(context.Background(), info)
	arrived := time.Now()
	stop := context.AfterFunc(w.interrupt, func() { a.end(sdk.ErrInterruptedAttempt) })
	go func() {
		defer close(over)
		defer w.pace.leave()
		defer func() { w.metrics.ended(a, arrived) }()
		defer a.unwanted()
		defer stop()
		if err := a.read(activities.ExecuteTaskName, args, activities.AttemptReport{}); err != nil {
			a.deliver(activities.AttemptReport{}, err)
			return
		}
		a.run(info)
	}()
	return a, over
}

// encoded is an argument as it comes off the wire.
type encoded struct{ value any }

func (e encoded) HasValues() bool { return true }

func (e encoded) Get(into ...any) error {
	dc := converter.GetDefaultDataConverter()
	p, err := dc.ToPayloads(e.value)
	if err != nil {
		return err
	}
	return dc.FromPayloads(p, into...)
}
