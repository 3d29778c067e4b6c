package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// once is a task that may be attempted once.
func once(r *sdk.TaskRequest) { r.Retry.MaxAttempts = 1 }

// TestDrainsUseUpNoAttempt drains the only worker three times while it works on a task that may be attempted once.
func TestDrainsUseUpNoAttempt(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	worker := s.worker("drained", dev.Worker{Env: []string{"ROLECALL_DRAIN_GRACE=100ms"}})
	working := func(step int) []string {
		return []string{"pid", "child", "tick", fmt.Sprintf(`resume:{"step":%d}`, step), "hang"}
	}
	task := s.delegate(script{"0.1": working(1), "0.2": working(2), "0.3": working(3), "0.4": {"pid", "echo"}}, once)
	for n := range 3 {
		attempt := fmt.Sprintf("0.%d", n+1)
		agent := s.started(attempt + ".pid")
		s.heartbeatHolds(task.ID, fmt.Sprintf(`{"step":%d}`, n+1))
		asked := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		s.do(worker.Stop(ctx))
		t.Logf("drain %d took %s", n+1, time.Since(asked))
		s.do(agent.nothingLeft())
		s.do(worker.Restart(ctx))
		cancel()
	}
	task = s.completed(task.ID, "0.1 interrupted", "0.2 interrupted", "0.3 interrupted", "0.4 completed")
	if got := echo(t, task); string(got.Resume) != `{"step":3}` {
		t.Errorf("the last attempt got resume data %s", got.Resume)
	}
	for _, a := range task.Attempts[:3] {
		if a.Error == nil || a.Error.Code != sdk.CodeInterrupted {
			t.Errorf("attempt %d ended with %+v", a.Attempt, a.Error)
		}
	}
}

// TestOperatorResetsTheAttempt resets a running activity as the Temporal UI does: the attempt is interrupted, and the next one
// goes on.
func TestOperatorResetsTheAttempt(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	task, agent := s.touched(script{
		"0.1": {"pid", "child", "tick", `resume:{"step":7}`, "hang"},
		"0.2": {"pid", "tick", "until:end", "echo"},
	})
	asked := time.Now()
	_, err := s.stack.Temporal().WorkflowService().ResetActivity(t.Context(), &workflowservice.ResetActivityRequest{
		Namespace: "default", Execution: s.execution(task), Identity: "an operator", Activity: &workflowservice.ResetActivityRequest_Id{Id: "0.1"},
	})
	s.do(err)
	s.eventually("the end of the first agent", patience, agent.nothingLeft)
	stopped := time.Since(asked)
	s.started("0.2.pid")
	s.ticking("0.2", 5)
	s.touch("end")
	task = s.completed(task.ID, "0.1 interrupted", "0.2 completed")
	if got := echo(t, task); string(got.Resume) != `{"step":7}` {
		t.Errorf("the second attempt got resume data %s", got.Resume)
	}
	s.endedOnce(task.ID)
	t.Logf("the agent had stopped after %s; the next one ran %s later", stopped, s.silentBefore("0.1", "0.2"))
}

// TestOperatorPausesTheAttempt pauses a running activity as the Temporal UI does: the attempt is interrupted and held back, and goes
// on when it is unpaused.
func TestOperatorPausesTheAttempt(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	task, agent := s.touched(script{"*": {"pid", "child", "tick", `resume:{"step":7}`, "until:end", "echo"}})
	service := s.stack.Temporal().WorkflowService()
	asked := time.Now()
	_, err := service.PauseActivity(t.Context(), &workflowservice.PauseActivityRequest{
		Namespace: "default", Execution: s.execution(task), Identity: "an operator", Reason: "lunch", Activity: &workflowservice.PauseActivityRequest_Id{Id: "0.1"},
	})
	s.do(err)
	s.eventually("the end of the first agent", patience, agent.nothingLeft)
	stopped := time.Since(asked)
	s.eventually("the paused attempt is given back", patience, func() error {
		p, err := s.pending(task.ID)
		if err != nil {
			return err
		}
		last := p.GetLastFailure().GetApplicationFailureInfo().GetType()
		if p.GetState() != enums.PENDING_ACTIVITY_STATE_PAUSED || last != string(sdk.CodeInterrupted) {
			return fmt.Errorf("it is %s and last failed with %q", p.GetState(), last)
		}
		return nil
	})
	if held, err := s.client.GetTask(t.Context(), task.ID); err != nil || held.Status.Terminal() {
		t.Fatalf("the paused task is %s: %v", held.Status, err)
	}
	s.touch("end")
	unpaused := time.Now()
	_, err = service.UnpauseActivity(t.Context(), &workflowservice.UnpauseActivityRequest{
		Namespace: "default", Execution: s.execution(task), Identity: "an operator", Activity: &workflowservice.UnpauseActivityRequest_Id{Id: "0.1"},
	})
	s.do(err)
	task = s.completed(task.ID, "0.1 completed")
	if got := echo(t, task); string(got.Resume) != `{"step":7}` {
		t.Errorf("the attempt went on with resume data %s", got.Resume)
	}
	s.endedOnce(task.ID)
	t.Logf("the agent had stopped after %s; the task ended %s after it was unpaused", stopped, time.Since(unpaused))
}

// touched starts a task that may be attempted once, and waits until Temporal has its resume data.
func (s *scene) touched(steps script) (*sdk.Task, agent) {
	s.t.Helper()
	s.coder("worker")
	task := s.delegate(steps, once)
	a := s.started("0.1.pid")
	s.heartbeatHolds(task.ID, `{"step":7}`)
	return task, a
}

// execution is a task's run as Temporal names it.
func (s *scene) execution(task *sdk.Task) *common.WorkflowExecution {
	return &common.WorkflowExecution{WorkflowId: workflows.TaskWorkflowID(s.project, task.ID)}
}

// TestOperatorResetsTheRun resets the run of a task that somebody waits for: what the waiter is answered is the end of the run that takes
// its place.
func TestOperatorResetsTheRun(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	task := s.delegate(script{"*": {"pid", "tick", "until:end", "echo"}})
	s.is("queued", task.ID, func(t *sdk.Task) bool { return t.Status == sdk.StatusQueued && t.WaitingFor != nil })
	created := task.CreatedAt
	waited := make(chan *sdk.Task, 1)
	go func() {
		defer close(waited)
		if task, err := s.client.WaitForTask(t.Context(), task.ID); err == nil {
			waited <- task
		}
	}()
	first, err := s.stack.Temporal().DescribeWorkflowExecution(t.Context(), s.execution(task).GetWorkflowId(), "")
	s.do(err)
	before := first.GetWorkflowExecutionInfo().GetExecution()
	_, err = s.stack.Temporal().WorkflowService().ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: before, Reason: "an operator", RequestId: task.ID, WorkflowTaskFinishEventId: 4,
	})
	s.do(err)
	s.coder("first")
	s.started("0.1.pid")
	s.ticking("0.1", 170) // 3.4 s: two looks at the task later
	s.touch("end")
	asked := time.Now()
	task = <-waited
	if task == nil {
		t.Fatal("the wait failed")
	}
	t.Logf("answered %s after the agent was told to end", time.Since(asked))
	if got := fmt.Sprint(chain(task)); got != "[0.1 completed]" {
		t.Errorf("the waiter is answered with the chain %s", got)
	}
	now, err := s.stack.Temporal().DescribeWorkflowExecution(t.Context(), before.GetWorkflowId(), "")
	s.do(err)
	info := now.GetWorkflowExecutionInfo()
	if info.GetExecution().GetRunId() == before.GetRunId() || !task.CreatedAt.Equal(created) {
		t.Errorf("the waiter is answered a task of %s, created %s; its run is %s", task.CreatedAt, created, info.GetExecution().GetRunId())
	}
}
