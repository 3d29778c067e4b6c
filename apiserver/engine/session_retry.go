package engine

import (
	"context"
	"slices"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// neverBegunInput is what a task would have started with whose session was ended from outside before its turn. One that still waits for
// its turn is a conflict.
func (e *Engine) neverBegunInput(ctx context.Context, project, id string) (workflows.TaskInput, error) {
	seen, err := e.waiting(ctx, project, id)
	if err != nil {
		return workflows.TaskInput{}, err
	}
	if seen.unbegun {
		return workflows.TaskInput{}, NotEnded()
	}
	session, _ := workflows.ParseSessionTaskID(id)
	run, err := e.describeSession(ctx, project, session)
	if err != nil {
		return workflows.TaskInput{}, err
	}
	in, err := e.firstSessionInput(ctx, run)
	if err != nil {
		return workflows.TaskInput{}, err
	}
	if carried := in.Carried; carried != nil {
		if i := slices.IndexFunc(carried.Queue, func(s workflows.SendTaskInput) bool { return s.TaskID == id }); i >= 0 {
			return workflows.SentTaskInput(in, carried.Queue[i]), nil
		}
	}
	sent, err := e.acceptedSend(ctx, run, id)
	if err != nil {
		return workflows.TaskInput{}, err
	}
	return workflows.SentTaskInput(in, sent), nil
}

// acceptedSend is what a run of a session was sent as a task, from its history.
func (e *Engine) acceptedSend(ctx context.Context, seen sessionRun, id string) (in workflows.SendTaskInput, err error) {
	var token []byte
	for {
		resp, err := e.temporal.WorkflowService().GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
			Namespace: e.cfg.Namespace, Execution: seen.execution(), NextPageToken: token,
		})
		if err != nil {
			return in, err
		}
		for _, event := range resp.GetHistory().GetEvents() {
			request := event.GetWorkflowExecutionUpdateAcceptedEventAttributes().GetAcceptedRequest()
			if request.GetMeta().GetUpdateId() != id || request.GetInput().GetName() != workflows.SendTask.Name {
				continue
			}
			if err := e.cfg.DataConverter.FromPayloads(request.GetInput().GetArgs(), &in); err != nil {
				return in, sdk.Errorf(sdk.CodeInternal, "what run %s was sent can not be read: %v", seen.runID, err)
			}
			return in, nil
		}
		if token = resp.GetNextPageToken(); len(token) == 0 {
			return in, NoSuchTask()
		}
	}
}
