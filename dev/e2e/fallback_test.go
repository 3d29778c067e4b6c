package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestFallbackAfterThreeFailures(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("first", dev.Worker{Roles: []sdk.Role{sdk.RoleCoder}})
	s.worker("second", dev.Worker{Roles: []sdk.Role{sdk.RoleTester}})
	created := s.delegate(script{
		"0.1": {"pid", "progress:10", "touch:one", "exit:1"}, "0.2": {"progress:20", "touch:two", "exit:2"},
		"0.3": {"progress:30", "touch:three", "exit:3"}, "1.1": {"progress:90", "echo"},
	}, func(r *sdk.TaskRequest) { r.Fallback = []sdk.Stage{{Role: sdk.RoleTester, Model: "plan-b"}} })
	task := s.ended(created.ID)
	wantChain(t, task, "0.1 failed", "0.2 failed", "0.3 failed", "1.1 completed")
	if task.Status != sdk.StatusCompleted || !task.Degraded || !task.Result.Degraded || task.Result.Model != "plan-b" || task.Stage != 1 {
		t.Errorf("the task is %s, stage %d, degraded %v: %+v", task.Status, task.Stage, task.Degraded, task.Result)
	}
	end := task.CreatedAt
	for i, a := range task.Attempts {
		if a.StartedAt.Before(end) || a.EndedAt == nil || !a.EndedAt.After(a.StartedAt) {
			t.Errorf("attempt %d ran from %s to %v, the one before until %s", i, a.StartedAt, a.EndedAt, end)
		}
		end = *a.EndedAt
		if i == 3 {
			if a.AgentID != "second" || a.Role != sdk.RoleTester || a.Model != "plan-b" || a.Error != nil {
				t.Errorf("the last attempt: %+v", a)
			}
			continue
		}
		said := fmt.Sprintf("exit code %d: leaving as the script says", i+1)
		if a.AgentID != "first" || a.Role != sdk.RoleCoder || a.Error == nil || a.Error.Code != sdk.CodeAgentFailed || !strings.Contains(a.Error.Message, said) {
			t.Errorf("attempt %d: %+v, error %v; want one that says %q", i, a, a.Error, said)
		}
	}
	for _, done := range []string{"one", "two", "three"} {
		s.appears(done) // the failed attempts did something
	}
	s.wantShown(task)
}

// wantShown checks what the Temporal UI shows of the run of a task that fell back after three failures: it draws one bar for each
// activity of the history, and reads summary, details and search attributes as here.
func (s *scene) wantShown(task *sdk.Task) {
	s.t.Helper()
	events := s.history(task.ID)
	for kind, want := range map[enumspb.EventType]int{
		enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: 4, enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED: 3, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: 1,
	} {
		if got := events[kind]; got != want {
			s.t.Errorf("the history has %d events %s, want %d", got, kind, want)
		}
	}
	run := s.run(task.ID)
	var summary string
	s.decode(run.GetExecutionConfig().GetUserMetadata().GetSummary(), &summary)
	if want := "code.write · " + task.Title; summary != want {
		s.t.Errorf("the summary is %q, want %q", summary, want)
	}
	attributes := run.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()
	var degraded bool
	var status, role string
	s.decode(attributes[workflows.AttrDegraded.GetName()], &degraded)
	s.decode(attributes[workflows.AttrStatus.GetName()], &status)
	s.decode(attributes[workflows.AttrRole.GetName()], &role)
	if !degraded || status != "completed" || role != "tester" {
		s.t.Errorf("search attributes: degraded %v, status %q, role %q", degraded, status, role)
	}
	details := s.details(task.ID)
	for _, row := range []string{
		"| 0 | 1 | coder | first | failed | agent_failed:", "| 0 | 2 | coder | first | failed |", "| 0 | 3 | coder | first | failed |",
		"| 1 | 1 | tester | second | completed |", "degraded",
	} {
		if !strings.Contains(details, row) {
			s.t.Errorf("the current details lack %q:\n%s", row, details)
		}
	}
	s.do(dev.AnswersOK(s.t.Context(), task.Links.UI))
}

// details are the current details of a task's run, asked for as the UI does.
func (s *scene) details(id string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	value, err := s.stack.Temporal().QueryWorkflow(ctx, workflows.TaskWorkflowID(s.project, id), "", "__temporal_workflow_metadata")
	s.do(err)
	var metadata sdkpb.WorkflowMetadata
	s.do(value.Get(&metadata))
	return metadata.GetCurrentDetails()
}

func TestFallbackWhenNobodyTakesTheTask(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("second", dev.Worker{Roles: []sdk.Role{sdk.RoleTester}})
	created := s.delegate(script{"1.1": {"echo"}}, func(r *sdk.TaskRequest) {
		r.Timeouts.QueueMs = 1000
		r.Fallback = []sdk.Stage{{Role: sdk.RoleTester}}
	})
	task := s.ended(created.ID)
	wantChain(t, task, "0.1 not_taken", "1.1 completed")
	if task.Status != sdk.StatusCompleted || !task.Degraded {
		t.Errorf("the task is %s, degraded %v", task.Status, task.Degraded)
	}
	first := task.Attempts[0]
	if first.Error == nil || first.Error.Code != sdk.CodeQueueTimeout || first.AgentID != "" {
		t.Errorf("the first attempt: %+v, error %v", first, first.Error)
	}
	if waited := first.EndedAt.Sub(first.StartedAt); waited < time.Second || waited > busy(5*time.Second) {
		t.Errorf("it waited for %s, want 1 s", waited)
	}
}
