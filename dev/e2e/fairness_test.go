package e2e_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// fewAhead is how many of a caller's many tasks may come before another caller's one.
const fewAhead = 10

// TestOneCallerDoesNotHoldUpAnother: one key hands out many tasks, then another key one. Neither its run, which waits for the control
// worker, nor its attempt, which waits for the one slot of the one agent, waits for all of them.
func TestOneCallerDoesNotHoldUpAnother(t *testing.T) {
	t.Parallel()
	crowd := min(*many, 1000)
	file := filepath.Join(t.TempDir(), "keys.json")
	greedy, modest := createKey(t, file, "acme", "shop"), createKey(t, file, "acme", "shop")
	stack := dev.ForTest(t, dev.Options{NoControl: true, Env: []string{"ROLECALL_KEYS_FILE=" + file, "ROLECALL_RATE_LIMIT=0"}})
	s := newScene(t, stack)
	s.project, s.client = "shop", keyed(t, stack, greedy.Key, "")
	other := keyed(t, stack, modest.Key, "")
	one := func(title string) string {
		task, err := other.RequestCode(t.Context(), title)
		s.do(err)
		if task.FairnessKey != modest.ID {
			t.Errorf("the fairness key is %q, want the key's id %s", task.FairnessKey, modest.ID)
		}
		return task.ID
	}
	ids := s.create(s.client, crowd, func(n int) sdk.TaskRequest {
		return sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: fmt.Sprintf("crowd %d", n)}
	})
	early := one("early") // its run waits behind those of the crowd
	s.waiting(workflows.ControlQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW, crowd+1)
	s.do(stack.StartControl(t.Context()))
	s.waiting(workflows.RoleQueue(s.project, sdk.RoleCoder), enumspb.TASK_QUEUE_TYPE_ACTIVITY, crowd+1)
	ahead := s.decidedBefore(early, ids)
	if ahead > fewAhead {
		t.Errorf("%d of %d runs of the other key were taken before its run, want at most %d", ahead, crowd, fewAhead)
	}

	late := one("late") // its attempt waits behind those of the crowd
	s.eventually("its attempt waits as well", patience, func() error {
		a, err := s.pending(late)
		if err == nil && a.GetState() != enumspb.PENDING_ACTIVITY_STATE_SCHEDULED {
			err = fmt.Errorf("it is %s", a.GetState())
		}
		return err
	})
	order := s.takenUntil("early", "late")
	place := slices.Index(order, "late") + 1
	if place == 0 || place > 2+fewAhead {
		t.Errorf("its task was number %d of %d, want one of the first %d", place, crowd+2, 2+fewAhead)
	}
	if crowdFirst := strings.HasPrefix(order[0], "crowd") || strings.HasPrefix(order[1], "crowd"); !crowdFirst {
		t.Errorf("the keys did not take turns: %q", order)
	}
	t.Logf("behind %d of another key: its run was number %d of the control worker's, its attempts number %d and %d of the agent's: %q",
		crowd, ahead+1, slices.Index(order, "early")+1, place, order)
	for _, id := range []string{early, late} {
		if task := s.ended(id); task.Status != sdk.StatusCompleted {
			t.Errorf("%q is %s", task.Title, task.Status)
		}
	}
	s.doctorSaysFair(greedy)
}

// waiting waits until so many wait in a task queue. Temporal answers what it counted up to 5 s ago.
func (s *scene) waiting(queue string, kind enumspb.TaskQueueType, want int) {
	s.t.Helper()
	s.eventually("the backlog of "+queue, patience, func() error {
		resp, err := s.stack.Temporal().WorkflowService().DescribeTaskQueue(s.t.Context(), &workflowservice.DescribeTaskQueueRequest{
			Namespace: client.DefaultNamespace, TaskQueue: &taskqueuepb.TaskQueue{Name: queue}, TaskQueueType: kind, ReportStats: true,
		})
		return errors.Join(err, atLeast(want, int(resp.GetStats().GetApproximateBacklogCount())))
	})
}

// decidedBefore counts those tasks whose run a control worker took before that of the task id.
func (s *scene) decidedBefore(id string, others []string) (n int) {
	s.t.Helper()
	limit, err := s.decided(id)
	s.do(err)
	var mu sync.Mutex
	var readers sync.WaitGroup
	for part := range slices.Chunk(others, len(others)/10+1) {
		readers.Go(func() {
			for _, other := range part {
				at, err := s.decided(other)
				if err != nil {
					s.t.Errorf("the history of %s: %v", other, err)
				}
				mu.Lock()
				if cmp.Compare(at.UnixNano(), limit.UnixNano()) < 0 {
					n++
				}
				mu.Unlock()
			}
		})
	}
	readers.Wait()
	return n
}

// decided is when a control worker took a task's run for the first time.
func (s *scene) decided(id string) (time.Time, error) {
	resp, err := s.stack.Temporal().WorkflowService().GetWorkflowExecutionHistory(s.t.Context(), &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace: client.DefaultNamespace, Execution: &commonpb.WorkflowExecution{WorkflowId: workflows.TaskWorkflowID(s.project, id)}, MaximumPageSize: 5,
	})
	for _, e := range resp.GetHistory().GetEvents() {
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED {
			return e.GetEventTime().AsTime(), nil
		}
	}
	return time.Time{}, errors.Join(err, fmt.Errorf("no workflow task of %s was started", id))
}

// takenUntil runs an agent with one slot until it has had the tasks of these titles, and answers the titles of all it had, in order.
func (s *scene) takenUntil(titles ...string) (order []string) {
	s.t.Helper()
	taken := make(chan string)
	stop := s.inProcess("single", 1, sdk.HandlerFunc(func(ctx context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		select {
		case taken <- a.Task.Title:
			return &sdk.Result{Output: json.RawMessage("true")}, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}))
	for missing := slices.Clone(titles); len(missing) > 0; {
		select {
		case title := <-taken:
			order = append(order, title)
			missing = slices.DeleteFunc(missing, func(m string) bool { return m == title })
		case <-time.After(patience):
			s.t.Fatalf("the agent was given %d tasks and not %q", len(order), missing)
		}
	}
	stop()
	return order
}

// doctorSaysFair asks doctor about a Temporal with fairness, in whose queues tasks have waited, and whose clock is this machine's. The
// agent has just left, which is something to do about.
func (s *scene) doctorSaysFair(key madeKey) {
	s.t.Helper()
	env := []string{
		"EVENTS_SERVICE_URL=" + s.stack.URL(), "EVENTS_API_KEY=" + key.Key, "PROJECT_ID=" + s.project, "TEMPORAL_ADDRESS=" + s.stack.TemporalAddr(),
	}
	s.eventually("doctor", patience, func() error {
		said, err := cli(s.t, env, "doctor")
		for _, want := range []string{
			"keeps finished tasks and idempotency keys for 30 days", "on: tasks of different keys take turns", "this machine's agrees with the API's and Temporal's",
			"waiting and nobody works for it", "PROJECT_ID=shop rolecall worker --role coder",
		} {
			if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 1 || !strings.Contains(said, want) {
				return fmt.Errorf("doctor does not say %q: %w\n%s", want, err, said)
			}
		}
		return nil
	})
}
