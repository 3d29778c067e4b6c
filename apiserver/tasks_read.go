package apiserver

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

type getTaskInput struct {
	ID     string `path:"id" doc:"The task's id."`
	WaitMs string `query:"waitMs" doc:"Wait at most so many milliseconds for the task's end, then answer its current state."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *getTaskInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

type taskOutput struct {
	Status int
	Body   sdk.Task
}

func (s *Server) getTask(ctx context.Context, in *getTaskInput) (*taskOutput, error) {
	waitMs, faults := in.query.waitMs()
	faults = append(idFaults(in.ID), append(in.query.faults("waitMs"), faults...)...)
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.checkOwner(ctx); err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	task, err := s.readTask(ctx, callerOf(ctx).project, in.ID, time.Duration(waitMs)*time.Millisecond)
	if err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	return &taskOutput{Status: 200, Body: s.linked(task)}, nil
}

// readTask reads a task, or waits for its end; a wait ends early when the server stops.
func (s *Server) readTask(ctx context.Context, project, id string, wait time.Duration) (sdk.Task, error) {
	if wait == 0 || s.draining.Err() != nil {
		return s.tasks.GetTask(ctx, project, id)
	}
	leave, fault := s.waits.enter(callerOf(ctx))
	if fault != nil {
		return sdk.Task{}, fault
	}
	defer leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.draining, cancel)()
	return s.tasks.WaitTask(ctx, project, id, wait)
}

type listProgressInput struct {
	ID string `path:"id" doc:"The task's id."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *listProgressInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

// progressList is the body of a progress answer.
type progressList struct {
	Items []sdk.Progress `json:"items" doc:"Oldest first: the first 20 and the newest 200."`
	Stale bool           `json:"stale,omitempty" doc:"The run did not answer in time; only the newest progress is known."`
}

type listProgressOutput struct {
	Body progressList
}

func (s *Server) listProgress(ctx context.Context, in *listProgressInput) (*listProgressOutput, error) {
	if faults := append(idFaults(in.ID), in.query.faults()...); len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.checkOwner(ctx); err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	items, stale, err := s.tasks.ListProgress(ctx, callerOf(ctx).project, in.ID)
	if err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	if items == nil {
		items = []sdk.Progress{}
	}
	return &listProgressOutput{Body: progressList{Items: items, Stale: stale}}, nil
}
