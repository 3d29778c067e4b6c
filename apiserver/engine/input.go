package engine

import (
	"context"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// ProvideInput answers the open question of a task. The run decides: an answer that does not fit is invalid_input, one to a
// question that is not open a conflict, and the same answer again is taken as before.
func (e *Engine) ProvideInput(ctx context.Context, project, id string, in workflows.ProvideInputInput) (sdk.Task, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.CallTimeout)
	defer cancel()
	workflowID := workflows.TaskWorkflowID(project, id)
	task, err := e.look(ctx, project, id)
	if err != nil {
		return sdk.Task{}, err
	}
	if task.Status.Terminal() {
		return sdk.Task{}, HasEnded(task)
	}
	err = e.update(ctx, workflowID, in)
	if err != nil {
		if e, ok := refusal(err); ok {
			return sdk.Task{}, e
		}
		if isNotFound(err) {
			return sdk.Task{}, HasEnded(task)
		}
		return sdk.Task{}, fault(err)
	}
	return e.look(ctx, project, id)
}

func (e *Engine) update(ctx context.Context, workflowID string, in workflows.ProvideInputInput) error {
	handle, err := e.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflowID, UpdateName: workflows.ProvideInput.Name, Args: []any{in}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return err
	}
	var out workflows.ProvideInputOutput
	return handle.Get(ctx, &out)
}
