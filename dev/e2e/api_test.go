package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// answer is an answer of the API as it comes.
type answer struct {
	status  int
	task    sdk.Task    // of a success
	problem sdk.Problem // of a refusal
}

// post sends a body to the API as it is: what the client would refuse itself, and status codes that it does not tell.
func (s *scene) post(path, body string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.stack.URL()+path, bytes.NewBufferString(body))
	s.do(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Rolecall-Project", s.project)
	resp, err := http.DefaultClient.Do(req)
	s.do(err)
	raw, err := io.ReadAll(resp.Body)
	s.do(errors.Join(err, resp.Body.Close()))
	a := answer{status: resp.StatusCode}
	into := any(&a.task)
	if a.status >= 400 {
		into = &a.problem
	}
	if err := json.Unmarshal(raw, into); err != nil {
		s.t.Fatalf("%s answers %d with %q: %v", path, a.status, raw, err)
	}
	return a
}

// run describes the run of a task.
func (s *scene) run(id string) *workflowservice.DescribeWorkflowExecutionResponse {
	s.t.Helper()
	resp, err := s.stack.Temporal().DescribeWorkflowExecution(s.t.Context(), workflows.TaskWorkflowID(s.project, id), "")
	s.do(err)
	return resp
}

// historyOf is the whole history of a run.
func historyOf(ctx context.Context, c client.Client, workflowID string) (*historypb.History, error) {
	return historyOfRun(ctx, c, workflowID, "")
}

// historyOfRun is the history of one run of a workflow id; "" is the latest.
func historyOfRun(ctx context.Context, c client.Client, workflowID, runID string) (*historypb.History, error) {
	var h historypb.History
	for events := c.GetWorkflowHistory(ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		e, err := events.Next()
		if err != nil {
			return nil, err
		}
		h.Events = append(h.Events, e)
	}
	return &h, nil
}

// backlog is how many attempts wait on a role's queue with nobody to take them.
func (s *scene) backlog(role sdk.Role) (int64, error) {
	resp, err := s.stack.Temporal().WorkflowService().DescribeTaskQueue(s.t.Context(), &workflowservice.DescribeTaskQueueRequest{
		Namespace: client.DefaultNamespace, TaskQueue: &taskqueuepb.TaskQueue{Name: workflows.RoleQueue(s.project, role)},
		TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY, ReportStats: true,
	})
	return resp.GetStats().GetApproximateBacklogCount(), err
}

// decode reads a payload of Temporal's into a value.
func (s *scene) decode(p *commonpb.Payload, into any) {
	s.t.Helper()
	s.do(converter.GetDefaultDataConverter().FromPayload(p, into))
}

// wantChain checks a task's chain of attempts, written as "stage.attempt outcome".
func wantChain(t *testing.T, task *sdk.Task, want ...string) {
	t.Helper()
	if got := chain(task); !slices.Equal(got, want) {
		t.Fatalf("the task is %s with the chain %q, want %q", task.Status, got, want)
	}
}

// atLeast returns nil when there are that many.
func atLeast(want, got int) error {
	if got < want {
		return fmt.Errorf("%d of %d", got, want)
	}
	return nil
}
