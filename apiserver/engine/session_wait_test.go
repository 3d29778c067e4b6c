package engine

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// oneTurn is a session, and the run of a task of it that is there from its turn on. Long polls for it wait also before that.
type oneTurn struct {
	*heldSession
	task  *oneRun
	mu    sync.Mutex
	begun bool
}

func (o *oneTurn) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.begun = true
}

func (o *oneTurn) DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.begun && strings.HasPrefix(workflowID, "task:") {
		return o.task.DescribeWorkflowExecution(ctx, workflowID, runID)
	}
	return o.heldSession.DescribeWorkflowExecution(ctx, workflowID, runID)
}

func (o *oneTurn) GetWorkflowHistory(ctx context.Context, workflowID, runID string, longPoll bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return o.task.GetWorkflowHistory(ctx, workflowID, runID, longPoll, filter)
}

// TestAWaitThatBeginsBeforeTheTurn: a task that was waited for before it had a run is answered as a reader finds it who looks afresh.
func TestAWaitThatBeginsBeforeTheTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		send := sendOf("")
		h := newHeldSession(t)
		h.updates = takes
		in := workflows.TaskInput{Project: "p", ID: send.TaskID, SessionID: "s1", Request: sdk.TaskRequest{
			Type: sdk.TypeExecute, Title: "do it", Description: "all of it", Input: json.RawMessage(`{"prompt":"do it"}`),
		}}
		o := &oneTurn{heldSession: h, task: newOneRun(t, in)}
		e, other := newEngine(o, Config{UIURL: "http://ui"}), newEngine(o, Config{UIURL: "http://ui"})
		defer e.Close()
		defer other.Close()
		if sent, _, err := e.SendTask(t.Context(), "p", "s1", send); err != nil || sent.Input != nil {
			t.Fatalf("%+v %v", sent, err)
		}
		answers := make(chan sdk.Task, 1)
		go func() {
			task, err := e.WaitTask(t.Context(), "p", send.TaskID, time.Minute)
			if err != nil {
				t.Error(err)
			}
			answers <- task
		}()
		synctest.Wait()
		o.begin()
		done := sdk.Task{ID: send.TaskID, Status: sdk.StatusCompleted, Result: &sdk.Result{Status: sdk.StatusCompleted}}
		o.task.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done))
		waited := <-answers
		read, err := other.GetTask(t.Context(), "p", send.TaskID)
		if err != nil || waited.Status != sdk.StatusCompleted || string(waited.Input) != string(in.Request.Input) || waited.Description != "all of it" ||
			waited.Links != read.Links || !strings.HasSuffix(waited.Links.UI, "/run-1/history") {
			t.Errorf("waited for %+v\nread %+v %v", waited, read, err)
		}
	})
}
