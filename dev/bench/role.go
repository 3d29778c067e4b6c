package bench

import (
	"context"
	"encoding/json"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workflows"
)

// project and role of the bench's tasks.
const (
	project = "bench"
	role    = sdk.RoleCoder
)

// RunRole serves the bench's role until ctx ends, with a handler that does what the bare activity does.
func RunRole(ctx context.Context, opts client.Options, slots int, acknowledge bool) error {
	return workers.RunRole(ctx, workers.Config{
		Project: project, Roles: []sdk.Role{role}, AgentID: "bench-agent", Slots: slots, DrainGrace: time.Second, Temporal: opts,
		AcknowledgeStart: acknowledge,
	}, sdk.HandlerFunc(func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
		return &sdk.Result{Output: json.RawMessage(`{"ok":true}`)}, nil
	}))
}

// request is the same work as a task.
func request() sdk.TaskRequest {
	return sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Bench", Input: json.RawMessage(`{"say":"hello"}`)}
}

// startOptions start a run as the API does, memo and search attributes included.
func startOptions(in workflows.TaskInput) client.StartWorkflowOptions {
	t := workflows.NewTask(in, time.Now().UTC())
	return client.StartWorkflowOptions{
		ID: workflows.TaskWorkflowID(in.Project, in.ID), TaskQueue: workflows.ControlQueue,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		Memo:                  map[string]any{workflows.MemoTask: workflows.NewTaskMemo(t)},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.AttrProject.ValueSet(in.Project),
			workflows.AttrRole.ValueSet(string(t.Role)),
			workflows.AttrTaskType.ValueSet(string(t.Type)),
			workflows.AttrStatus.ValueSet(string(sdk.StatusQueued)),
			workflows.AttrPriority.ValueSet(int64(workflows.PriorityKey(t.Priority))),
			workflows.AttrDegraded.ValueSet(false),
		),
		StaticSummary: workflows.TaskSummary(t),
		Priority:      temporal.Priority{PriorityKey: workflows.PriorityKey(t.Priority), FairnessKey: t.FairnessKey},
	}
}
