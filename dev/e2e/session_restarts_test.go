package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
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
		s.restarts(k, worker)
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
// are ready when those are.
func (s *scene) restarts(turn int, worker *dev.Process) {
	s.t.Helper()
	all := []*dev.Process{s.stack.TemporalServer, s.stack.Events, s.stack.Control, s.stack.API, worker}
	parts := all
	if turn %= len(all) + 1; turn < len(all) {
		parts = all[turn : turn+1]
	}
	for _, p := range parts {
		s.do(p.Kill())
	}
	for _, p := range parts {
		s.do(p.Restart(s.t.Context()))
	}
}

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

// check compares what came with what was sent.
func (f *sessionFollower) check(t *testing.T, sent []string) {
	t.Helper()
	if f.err != nil {
		t.Fatal(f.err)
	}
	if n := len(f.events); n < 2 || f.events[0].Type != sdk.SessionStartEvent || f.events[n-1].Type != sdk.SessionCloseEvent {
		t.Fatalf("the stream has %d events", n)
	}
	at, open, sequence := 0, false, ""
	for i, e := range f.events {
		if e.Sequence <= sequence {
			t.Errorf("event %d is at %s, after %s", i, e.Sequence, sequence)
		}
		sequence = e.Sequence
		switch e.Type {
		case sdk.TaskStartEvent:
			if open || at >= len(sent) || e.Payload.TaskID != sent[at] {
				t.Fatalf("event %d: task %s begins; of those that were sent, %d have ended, and one is open: %v", i, e.Payload.TaskID, at, open)
			}
			open = true
		case sdk.TaskCompleteEvent:
			if !open || e.Payload.TaskID != sent[at] {
				t.Fatalf("event %d: task %s completed; of those that were sent, %d have ended, and one is open: %v", i, e.Payload.TaskID, at, open)
			}
			open, at = false, at+1
		default:
		}
	}
	if at != len(sent) || open {
		t.Errorf("%d of %d tasks have ended", at, len(sent))
	}
}
