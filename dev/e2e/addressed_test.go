package e2e_test

import (
	"context"
	"encoding/json"
	"flag"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

var addressing = flag.Int("addressing", 20, "how many tasks address an agent that has ten times as many of its role")

// watchedWork is long beside the time from an attempt's schedule, from which is counted, until Temporal has a task to give out.
const watchedWork = 200 * time.Millisecond

// watched is an agent that notes when it works on what.
type watched struct {
	mu    sync.Mutex
	at    int // attempts that run
	most  int
	began map[string]time.Time // by task
	roles []time.Time          // when a task of the role began
}

func (w *watched) Handle(_ context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
	w.mu.Lock()
	w.at++
	w.most = max(w.most, w.at)
	now := time.Now()
	w.began[a.Task.ID] = now
	if a.Task.AgentID == "" {
		w.roles = append(w.roles, now)
	}
	w.mu.Unlock()
	work := time.NewTimer(watchedWork)
	defer work.Stop()
	<-work.C
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at--
	return &sdk.Result{Output: json.RawMessage(`1`)}, nil
}

// TestAnAddressedTaskWaitsForOneOther: an agent with one slot has a backlog of its role, and tasks that address it come among them.
func TestAnAddressedTaskWaitsForOneOther(t *testing.T) {
	t.Parallel()
	addressed := *addressing
	backlog := 10 * addressed
	s := newScene(t, sharedStack(t))
	create := func(agent string) string {
		task, err := s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "one of many", AgentID: agent})
		s.do(err)
		return task.ID
	}
	var all, mine []string
	for range backlog {
		all = append(all, create(""))
	}
	w := &watched{began: map[string]time.Time{}}
	(&stackTarget{scene: s}).Agent(sdk.RoleCoder, "solo", w)
	for i := range addressed {
		s.eventually("others at work", patience, func() error { return atLeast(2*i+1, w.begunOfRole()) })
		mine = append(mine, create("solo"))
		s.ended(mine[len(mine)-1]) // so that none waits for another one of them
	}
	for _, id := range append(all, mine...) {
		if task := s.ended(id); task.Status != sdk.StatusCompleted || len(task.Attempts) != 1 {
			t.Errorf("%s is %s after %q", id, task.Status, chain(task))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.most != 1 {
		t.Errorf("%d at once", w.most)
	}
	waits := map[int]int{}
	for _, id := range mine {
		n := w.beganBetween(s.askedFor(id), w.began[id])
		if waits[n]++; n > 1 {
			t.Errorf("%s waited for the begin of %d others", id, n)
		}
	}
	left := w.beganBetween(w.began[mine[len(mine)-1]], time.Now())
	if left == 0 {
		t.Error("the backlog was over before the last addressed task")
	}
	t.Logf("%d of the role followed; of %d addressed tasks, by how many others began before them: %v", left, addressed, waits)
}

// begunOfRole is how many tasks of the role have begun.
func (w *watched) begunOfRole() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.roles)
}

// beganBetween is how many tasks of the role began between two times.
func (w *watched) beganBetween(from, to time.Time) (n int) {
	for _, at := range w.roles {
		if at.After(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// askedFor is when a task's first attempt came into its queue.
func (s *scene) askedFor(id string) time.Time {
	s.t.Helper()
	h, err := historyOf(s.t.Context(), s.stack.Temporal(), workflows.TaskWorkflowID(s.project, id))
	s.do(err)
	for _, e := range h.GetEvents() {
		if e.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED {
			return e.GetEventTime().AsTime()
		}
	}
	s.t.Fatalf("%s has no attempt", id)
	return time.Time{}
}
