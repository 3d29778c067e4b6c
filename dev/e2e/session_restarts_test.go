package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

var (
	sessionTasks = flag.Int("session-tasks", 30, "how many tasks the session has that everything is restarted under; make soak has 1200")
	sessionKills = flag.Int("session-kills", 6, "how often parts of the stack are killed under that session; 6 kills each of them alone, and all at once")
)

const (
	// runEvents and runBytes bound the history of a run of a session: it goes on as another one where Temporal advises to, after 4096 events or
	// 4 MB, once the task that has its turn has ended and what was sent meanwhile is taken.
	runEvents = 4096 + 1500
	runBytes  = 4<<20 + 2<<20
)

// TestSessionOutlivesRestarts sends a session many tasks while everything is killed and started again, part by part and all at once: API,
// control worker, event log, Temporal and the worker. Each task is done once, in the order of sending; the stream, which is followed all the
// time and cut by many a kill, has each event once; and the session goes on as other runs, the history of each of which is bounded.
func TestSessionOutlivesRestarts(t *testing.T) {
	t.Parallel()
	s := newScene(t, ownStack(t))
	worker := s.worker("worker", dev.Worker{Slots: 2})
	session, held := s.opensRuns(*sessionTasks / 3)
	atMost := time.Duration(*sessionKills+2)*2*patience + time.Duration(*sessionTasks)*2*time.Second
	ctx, cancel := context.WithTimeout(t.Context(), atMost)
	defer cancel()

	var following sync.WaitGroup
	f := &sessionFollower{}
	following.Go(func() { f.follow(ctx, session) })
	sent := make([]string, *sessionTasks)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range sent {
			id, err := session.sendsThrough(ctx, n)
			if err != nil {
				t.Errorf("task %d: %v", n, err)
				return
			}
			sent[n] = id
		}
	}()
	every := max(1, *sessionTasks/(*sessionKills+1))
	for k := range *sessionKills {
		f.awaits(ctx, t, (k+1)*every)
		f.away = append(f.away, s.restarts(k, worker)...)
	}
	<-done
	f.awaits(ctx, t, *sessionTasks)
	s.eventually("the close", patience, func() error { // the API may just be starting
		_, err := session.SessionHandle.Close(ctx)
		return err
	})
	following.Wait()
	f.check(t, sent)
	now := session.isNow("closed", func(s *sdk.Session) bool { return s.Status == sdk.SessionClosed })
	if now.CompletedTasks != *sessionTasks || now.FailedTasks != 0 {
		t.Errorf("%d tasks completed and %d failed, of %d", now.CompletedTasks, now.FailedTasks, *sessionTasks)
	}
	held.wantRuns(3)
	t.Logf("%d tasks, %d kills, %d cuts of the stream", *sessionTasks, *sessionKills, f.cuts)
}

// opensRuns opens a session that goes on as another run after so many tasks, or by itself where that is later than it would.
func (s *scene) opensRuns(tasks int) (talk, *talks) {
	s.t.Helper()
	held := s.open(newEngine(s.t, s.stack), "s1", func(in *workflows.SessionInput) {
		if tasks < 200 {
			in.TasksPerRun = tasks
		}
	})
	session, err := s.client.Session(s.t.Context(), held.session)
	s.do(err)
	return talk{s, session}, held
}

// wantRuns checks that the session had so many runs at least, none of them with more history than there is to be.
func (s *talks) wantRuns(atLeast int) {
	s.t.Helper()
	runs := s.runsOf()
	if len(runs) < atLeast {
		s.t.Errorf("the session had %d runs, want %d at least", len(runs), atLeast)
	}
	for i, run := range runs {
		described, err := s.stack.Temporal().DescribeWorkflowExecution(s.t.Context(), workflows.SessionWorkflowID(s.project, s.session), run)
		s.do(err)
		info := described.GetWorkflowExecutionInfo()
		if info.GetHistoryLength() > runEvents || info.GetHistorySizeBytes() > runBytes {
			s.t.Errorf("run %d has a history of %d events and %d bytes, more than %d and %d", i+1, info.GetHistoryLength(), info.GetHistorySizeBytes(), runEvents, runBytes)
		}
		want := enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
		if i == len(runs)-1 {
			want = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		}
		if info.GetStatus() != want {
			s.t.Errorf("run %d is %s, want %s", i+1, info.GetStatus(), want)
		}
		s.t.Logf("run %d of the session: a history of %d events, %d bytes", i+1, info.GetHistoryLength(), info.GetHistorySizeBytes())
	}
}

// restarts kills a part of the stack, by turns each and all at once, and starts it again: Temporal and the event log first, since the others
// are ready when those are. It answers when the log was away, if it was.
func (s *scene) restarts(turn int, worker *dev.Process) (away []absence) {
	s.t.Helper()
	all := []*dev.Process{s.stack.TemporalServer, s.stack.Events, s.stack.Control, s.stack.API, worker}
	parts := all
	if turn %= len(all) + 1; turn < len(all) {
		parts = all[turn : turn+1]
	}
	began := time.Now()
	for _, p := range parts {
		s.do(p.Kill())
	}
	for _, p := range parts {
		s.do(p.Restart(s.t.Context()))
	}
	if slices.Contains(parts, s.stack.Events) {
		away = append(away, absence{began.Add(-busy(time.Second)), time.Now().Add(busy(time.Second))})
	}
	return away
}

// absence is a time for which the log was away, and what goes before and after it: an event that has happened is told a little later.
type absence struct{ from, to time.Time }

// sendsThrough sends a task under a key of its own until it is taken, whatever is away meanwhile.
func (t talk) sendsThrough(ctx context.Context, n int) (id string, err error) {
	steps, err := json.Marshal(map[string]any{"dir": t.dir, "attempts": script{"*": {fmt.Sprintf("result:%d", n)}}})
	if err != nil {
		return "", err
	}
	request := sdk.SessionTaskRequest{Type: sdk.TypeExecute, Prompt: "script:" + string(steps)}
	err = dev.Until(ctx, 4*patience, func(ctx context.Context) error {
		task, err := t.Send(ctx, request, sdk.IdempotencyKey(fmt.Sprint("task ", n)))
		switch {
		case err == nil:
			id = task.ID
		case !errors.Is(err, sdk.ErrUnavailable) && !errors.Is(err, sdk.ErrRateLimited):
			return dev.GiveUp(err)
		}
		return err
	})
	return id, err
}

// sessionFollower follows a session's stream with one subscription.
type sessionFollower struct {
	mu     sync.Mutex
	events []sdk.SessionEvent
	done   int // tasks
	cuts   int
	err    error
	away   []absence // of the log
}

func (f *sessionFollower) follow(ctx context.Context, session talk) {
	cut := sdk.OnInterruption(func(error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.cuts++
	})
	for e, err := range session.Events(ctx, cut) {
		f.mu.Lock()
		if f.err = err; err == nil {
			f.events = append(f.events, *e)
			if e.Type == sdk.TaskCompleteEvent {
				f.done++
			}
		}
		f.mu.Unlock()
	}
}

// awaits waits until so many tasks were done, as the stream has it.
func (f *sessionFollower) awaits(ctx context.Context, t *testing.T, n int) {
	t.Helper()
	err := dev.Until(ctx, time.Hour, func(context.Context) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.err != nil {
			return dev.GiveUp(f.err)
		}
		if f.done < n {
			return fmt.Errorf("the stream has %d of %d tasks", f.done, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// check compares what came with what was sent: every task began and completed once, each after the one before had completed; and so the stream
// tells it, except that what happened while the log was away may be told after a later task's.
func (f *sessionFollower) check(t *testing.T, sent []string) {
	t.Helper()
	if f.err != nil {
		t.Fatal(f.err)
	}
	if n := len(f.events); n < 2 || f.events[0].Type != sdk.SessionStartEvent || f.events[n-1].Type != sdk.SessionCloseEvent {
		t.Fatalf("the stream has %d events", n)
	}
	began, ended, sequence := make([]int64, len(sent)), make([]int64, len(sent)), ""
	first, late := 0, map[int]bool{} // the first that has not completed, and those that a later one was told before
	for i, e := range f.events {
		if e.Sequence <= sequence {
			t.Errorf("event %d is at %s, after %s", i, e.Sequence, sequence)
		}
		sequence = e.Sequence
		if e.Type != sdk.TaskStartEvent && e.Type != sdk.TaskCompleteEvent {
			continue
		}
		n := slices.Index(sent, e.Payload.TaskID)
		switch {
		case n < 0:
			t.Fatalf("event %d is of the task %s, which nobody sent", i, e.Payload.TaskID)
		case e.Type == sdk.TaskStartEvent && began[n] == 0:
			began[n] = e.Timestamp
		case e.Type == sdk.TaskCompleteEvent && began[n] > 0 && ended[n] == 0:
			ended[n] = e.Timestamp
		default:
			t.Fatalf("event %d: a %s of task %d, which has begun at %d and completed at %d", i, e.Type, n, began[n], ended[n])
		}
		for k := first; k < n; k++ {
			if ended[k] == 0 {
				late[k] = true
			}
		}
		for first < len(sent) && ended[first] > 0 {
			first++
		}
	}
	if first != len(sent) {
		t.Fatalf("the stream does not tell of the end of task %d of %d", first, len(sent))
	}
	for n := range sent {
		if n > 0 && began[n] < ended[n-1] {
			t.Errorf("task %d began at %d, and the one before completed at %d", n, began[n], ended[n-1])
		}
		if late[n] && !f.wasAway(began[n], ended[n]) {
			t.Errorf("task %d, from %d to %d, is told after a later one, and the log was there: it was away %v", n, began[n], ended[n], f.away)
		}
	}
	t.Logf("of %d tasks the stream tells %d after a later one, all of a time without a log", len(sent), len(late))
}

// wasAway reports whether the log was away at a time of these, in milliseconds.
func (f *sessionFollower) wasAway(from, to int64) bool {
	return slices.ContainsFunc(f.away, func(a absence) bool { return from <= a.to.UnixMilli() && to >= a.from.UnixMilli() })
}
