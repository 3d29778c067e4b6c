package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	// heartbeat is how soon a lost worker is noticed in these tests: the least that a task may ask for.
	heartbeat = 5 * time.Second
	// slack is what a takeover may take beyond that on a loaded machine: a timer, a task queue, and the start of a program.
	slack = 3 * time.Second
)

// coder starts a worker with the agent id name, in a working directory of its own for each attempt.
func (s *scene) coder(name string) *dev.Process {
	s.t.Helper()
	return s.worker(name, dev.Worker{})
}

// pending is the attempt that Temporal has under way for a task.
func (s *scene) pending(id string) (*workflow.PendingActivityInfo, error) {
	got, err := s.stack.Temporal().DescribeWorkflowExecution(s.t.Context(), workflows.TaskWorkflowID(s.project, id), "")
	if err != nil {
		return nil, err
	}
	if len(got.GetPendingActivities()) != 1 {
		return nil, fmt.Errorf("%d attempts are under way", len(got.GetPendingActivities()))
	}
	return got.GetPendingActivities()[0], nil
}

// heartbeatHolds waits until Temporal has recorded the resume data of the running attempt.
func (s *scene) heartbeatHolds(id, resume string) {
	s.t.Helper()
	s.eventually("a heartbeat with resume data "+resume, patience, func() error {
		p, err := s.pending(id)
		if err != nil {
			return err
		}
		var report activities.AttemptReport
		if err := converter.GetDefaultDataConverter().FromPayloads(p.GetHeartbeatDetails(), &report); err != nil {
			return err
		}
		if string(report.Resume) != resume {
			return fmt.Errorf("it holds %s", report.Resume)
		}
		return nil
	})
}

// heartbeatSince waits for a heartbeat that Temporal received after the given time.
func (s *scene) heartbeatSince(id string, since time.Time) {
	s.t.Helper()
	s.eventually("a heartbeat", patience, func() error {
		p, err := s.pending(id)
		if err != nil {
			return err
		}
		if last := p.GetLastHeartbeatTime().AsTime(); !last.After(since) {
			return fmt.Errorf("the last was %s before", since.Sub(last))
		}
		return nil
	})
}

// history counts the events of a task's run by type, without those of activities that publish, which there are when the log is slow.
func (s *scene) history(id string) map[enums.EventType]int {
	s.t.Helper()
	counts, _ := s.events(id)
	return counts
}

// events is history, and how many activities published.
func (s *scene) events(id string) (counts map[enums.EventType]int, later int) {
	s.t.Helper()
	h, err := historyOf(s.t.Context(), s.stack.Temporal(), workflows.TaskWorkflowID(s.project, id))
	s.do(err)
	counts = map[enums.EventType]int{}
	publishing := map[int64]bool{} // the events that scheduled them
	for _, e := range h.GetEvents() {
		if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activities.PublishEventsName {
			publishing[e.GetEventId()] = true
		}
		scheduled := max(e.GetActivityTaskStartedEventAttributes().GetScheduledEventId(), e.GetActivityTaskCompletedEventAttributes().GetScheduledEventId())
		if !publishing[e.GetEventId()] && !publishing[scheduled] {
			counts[e.GetEventType()]++
		}
	}
	return counts, len(publishing)
}

// endedOnce checks that a task's run has one end and one completed attempt.
func (s *scene) endedOnce(id string) {
	s.t.Helper()
	got := s.history(id)
	for _, kind := range []enums.EventType{enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED} {
		if got[kind] != 1 {
			s.t.Errorf("%d events %s in the history, not 1", got[kind], kind)
		}
	}
}

// completed waits for the end of a task and checks that it completed by this chain.
func (s *scene) completed(id string, want ...string) *sdk.Task {
	s.t.Helper()
	task := s.ended(id)
	if task.Status != sdk.StatusCompleted || task.Degraded {
		s.t.Errorf("the task is %s (degraded: %t), not completed: %+v", task.Status, task.Degraded, task.Result)
	}
	if got := chain(task); !slices.Equal(got, want) {
		s.t.Fatalf("the chain is %q, not %q", got, want)
	}
	return task
}

// echoed is the output of the step echo.
type echoed struct {
	Resume  json.RawMessage `json:"resume"`
	Attempt int             `json:"attempt"`
}

func echo(t *testing.T, task *sdk.Task) echoed {
	t.Helper()
	var e echoed
	if err := json.Unmarshal(task.Result.Output, &e); err != nil {
		t.Fatalf("output %s: %v", task.Result.Output, err)
	}
	return e
}

// silentBefore checks that nothing of one attempt ticked once the next had ticked for the first time, and returns the time between
// the last tick of the one and the first of the other.
func (s *scene) silentBefore(attempt, next string) time.Duration {
	s.t.Helper()
	before, after := s.ticksOf(attempt), s.ticksOf(next)
	if len(before) == 0 || len(after) == 0 {
		s.t.Fatalf("%d ticks of attempt %s, %d of %s", len(before), attempt, len(after), next)
	}
	gap := slices.MinFunc(after, time.Time.Compare).Sub(slices.MaxFunc(before, time.Time.Compare))
	if gap < 0 {
		s.t.Errorf("attempt %s ticked for %s after attempt %s had begun", attempt, -gap, next)
	}
	return gap
}

// undisturbed checks that an attempt is still done by the same process, and has ticked all the time.
func (s *scene) undisturbed(a agent, attempt string) {
	s.t.Helper()
	if !a.alive() {
		s.t.Errorf("the agent %d has ended", a.pid)
	}
	if gap := longestGap(s.ticksOf(attempt)); gap > time.Second {
		s.t.Errorf("the agent did not tick for %s", gap)
	}
}

// ticksUntil waits until an attempt has ticked at or after a time.
func (s *scene) ticksUntil(attempt string, at time.Time) {
	s.t.Helper()
	s.eventually("a tick of attempt "+attempt+" at "+at.Format(time.TimeOnly), patience, func() error {
		ticks := s.ticksOf(attempt)
		if len(ticks) == 0 {
			return errors.New("none so far")
		}
		if last := ticks[len(ticks)-1]; last.Before(at) {
			return fmt.Errorf("the last is %s old", time.Since(last))
		}
		return nil
	})
}
