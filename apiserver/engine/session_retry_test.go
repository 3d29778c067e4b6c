package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// accepted is what the history of a run says of an update that it took.
func accepted(t *testing.T, name, id string, in any) *historypb.HistoryEvent {
	t.Helper()
	return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionUpdateAcceptedEventAttributes{
		WorkflowExecutionUpdateAcceptedEventAttributes: &historypb.WorkflowExecutionUpdateAcceptedEventAttributes{
			AcceptedRequest: &updatepb.Request{Meta: &updatepb.Meta{UpdateId: id}, Input: &updatepb.Input{Name: name, Args: payloads(t, in)}},
		},
	}}
}

// TestRetryOfATaskWithoutARun: one that waits for its turn has not ended; one whose session was ended before that is tried as it was sent.
func TestRetryOfATaskWithoutARun(t *testing.T) {
	t.Parallel()
	sent := sendOf("")
	sent.CreatedAt, sent.Request.Priority = time.Now(), sdk.PriorityHigh
	other := sent
	other.TaskID, other.Request.Prompt = workflows.SessionTaskID("s1", "2"), "do something else"
	for name, tc := range map[string]struct {
		set  func(*heldSession)
		want sdk.Code
	}{
		"it waits": {func(*heldSession) {}, sdk.CodeConflict},
		"its session was terminated": {func(h *heldSession) {
			h.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
			h.later = []*historypb.HistoryEvent{
				accepted(t, workflows.SendTask.Name, other.TaskID, other), accepted(t, workflows.SendTask.Name, sent.TaskID, sent),
			}
		}, ""},
		"its session was terminated, and had gone on": {func(h *heldSession) {
			h.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
			h.input.Carried = &workflows.SessionCarried{Queue: []workflows.SendTaskInput{other, sent}}
		}, ""},
		"its session has closed by itself": {func(h *heldSession) { h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, nil) }, sdk.CodeNotFound},
		"there is no session":              {func(h *heldSession) { h.run = nil }, sdk.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHeldSession(t)
			h.done[sent.TaskID] = workflows.SendTaskOutput{Task: sdk.Task{ID: sent.TaskID, SessionID: "s1", Status: sdk.StatusQueued, CreatedAt: sent.CreatedAt}, Nonce: "n"}
			tc.set(h)
			begun := &begunTask{heldSession: h}
			e := newEngine(begun, Config{})
			t.Cleanup(e.Close)
			task, _, err := e.RetryTask(t.Context(), workflows.TaskInput{Project: "p", ID: "again", RetryOf: sent.TaskID}, "")
			if tc.want != "" {
				if e, ok := errors.AsType[*sdk.Error](err); !ok || e.Code != tc.want {
					t.Errorf("%+v %v", task, err)
				}
				return
			}
			if err != nil || task.ID != "again" || task.RetryOf != sent.TaskID || task.Priority != sdk.PriorityHigh || task.Role != sdk.RoleCoder ||
				!strings.Contains(string(task.Input), "do it") || begun.input.Model == "" {
				t.Errorf("%+v %v, which starts with %+v", task, err, begun.input)
			}
		})
	}
}

// begunTask takes the start of a task.
type begunTask struct {
	*heldSession
	input workflows.TaskInput
}

func (b *begunTask) ExecuteWorkflow(_ context.Context, _ client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	b.input, _ = args[0].(workflows.TaskInput)
	return startedRun{}, nil
}
