package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

type createTaskInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 255 printable ASCII characters. The same key and body answer the first task again."`

	body  requestBody
	keys  []string
	query query
}

// Resolve takes what huma has no eyes for.
func (in *createTaskInput) Resolve(ctx huma.Context) []error {
	c := humagin.Unwrap(ctx)
	in.body, in.keys, in.query = readBody(c), c.Request.Header.Values("Idempotency-Key"), queryOf(ctx.URL())
	return nil
}

type createTaskOutput struct {
	Status   int
	Location string `header:"Location" doc:"Where the task is read."`
	Replayed string `header:"Idempotent-Replayed" doc:"true when the task was created by an earlier request of the same key."`
	Body     sdk.Task
}

func (s *Server) createTask(ctx context.Context, in *createTaskInput) (*createTaskOutput, error) {
	d, fault := decode[sdk.TaskRequest](in.body)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	if err := callerOf(ctx).mayCreateUnder(d.value.ParentID); err != nil {
		return nil, s.problem(ctx, err)
	}
	key, faults := keyFaults(in.keys)
	d.add(faults...)
	d.add(in.query.faults()...)
	d.add(notYet(d.value.Budget)...)
	if e, ok := errors.AsType[*sdk.Error](d.value.Validate()); ok {
		d.add(e.Faults...)
	}
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	request, err := s.redactRequest(d.value) // the digest is of what the caller sent
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	who := callerOf(ctx)
	task, replayed, err := create(ctx, s, creation[sdk.Task]{
		key: key, digest: func() (string, error) { return digestOfTask(d.value) },
		start: func(id, digest string) (sdk.Task, bool, error) {
			return s.tasks.CreateTask(ctx, workflows.TaskInput{
				Project: who.project, Organization: who.organization, ID: id, Request: request, FairnessKey: who.key,
			}, digest)
		},
	})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	s.metrics.creation(replayed)
	return created(s.linked(task), replayed), nil
}

func created(task sdk.Task, replayed bool) *createTaskOutput {
	out := &createTaskOutput{Status: http.StatusCreated, Location: "/v1/tasks/" + task.ID, Body: task}
	if replayed {
		out.Status, out.Replayed = http.StatusOK, "true"
	}
	return out
}

func digestOfTask(r sdk.TaskRequest) (string, error) {
	body, err := canonicalRequest(r)
	if err != nil {
		return "", err
	}
	return sumOf(body), nil
}

// canonicalRequest writes a request in the one way: what is left out, null or zero is not there, numbers are written by their
// value, and in raw fields as they came.
func canonicalRequest(r sdk.TaskRequest) ([]byte, error) {
	for _, raw := range []*json.RawMessage{&r.Input, &r.Budget} {
		var err error
		if *raw, err = canonicalField(*raw); err != nil {
			return nil, err
		}
	}
	return canonicalJSON(r)
}

// canonicalField writes a raw field in the one way: null is as left out.
func canonicalField(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 || isNull(raw) {
		return nil, nil
	}
	return canonicalRaw(raw)
}

// notYet refuses what a request may hold and this server would have to ignore.
func notYet(budget json.RawMessage) []sdk.Fault {
	if len(budget) == 0 || isNull(budget) {
		return nil
	}
	return []sdk.Fault{{Path: "$.budget", Message: "is reserved: leave it out"}}
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }
