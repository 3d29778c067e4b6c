package apiserver

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// cancelRequest is the body of a cancellation; it may be left out whole.
type cancelRequest struct {
	Reason string `json:"reason,omitempty" doc:"Why, for the agent and the record; at most 1024 bytes."`
}

type cancelTaskInput struct {
	ID string `path:"id" doc:"The task's id."`

	body  requestBody
	query query
}

// Resolve takes the body and the whole query.
func (in *cancelTaskInput) Resolve(ctx huma.Context) []error {
	in.body, in.query = readBody(humagin.Unwrap(ctx)), queryOf(ctx.URL())
	return nil
}

func (s *Server) cancelTask(ctx context.Context, in *cancelTaskInput) (*taskOutput, error) {
	reason, err := s.reasonOf(in.body, append(idFaults(in.ID), in.query.faults()...))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.checkOwner(ctx); err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	task, accepted, err := s.tasks.CancelTask(ctx, callerOf(ctx).project, in.ID, reason)
	if err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	if !accepted {
		return &taskOutput{Status: http.StatusOK, Body: s.linked(task)}, nil
	}
	return &taskOutput{Status: http.StatusAccepted, Body: s.linked(task)}, nil
}

// reasonOf reads the body of a cancellation, and names what is wrong with it beside other faults. The reason is as it may be stored.
func (s *Server) reasonOf(body requestBody, others []sdk.Fault) (string, error) {
	d, fault := decode[cancelRequest](body.orEmpty())
	if fault != nil {
		return "", fault
	}
	d.add(others...)
	if len(d.value.Reason) > sdk.MaxReason {
		d.add(sdk.Fault{Path: "$.reason", Message: "is larger than " + strconv.Itoa(sdk.MaxReason) + " bytes"})
	}
	return sdk.Cut(s.redaction.Redactor.String(d.value.Reason), sdk.MaxReason), d.err()
}

// inputAnswer is the body of an answer to a task's question.
type inputAnswer struct {
	RequestID string          `json:"requestId" doc:"The question, as inputRequest.id has it."`
	Answer    json.RawMessage `json:"answer" doc:"Any JSON that fits the question's schema, at most 16 KiB."`
}

type provideInputInput struct {
	ID string `path:"id" doc:"The task's id."`

	body  requestBody
	query query
}

// Resolve takes the body and the whole query.
func (in *provideInputInput) Resolve(ctx huma.Context) []error {
	in.body, in.query = readBody(humagin.Unwrap(ctx)), queryOf(ctx.URL())
	return nil
}

func (s *Server) provideInput(ctx context.Context, in *provideInputInput) (*taskOutput, error) {
	d, fault := decode[inputAnswer](in.body)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	d.add(idFaults(in.ID)...)
	d.add(in.query.faults()...)
	switch {
	case d.value.RequestID == "":
		d.add(sdk.Fault{Path: "$.requestId", Message: "is required"})
	case !sdk.ValidID(d.value.RequestID):
		d.add(sdk.Fault{Path: "$.requestId", Message: "must be the id of the question, as inputRequest.id has it"})
	}
	switch {
	case len(d.value.Answer) == 0:
		d.add(sdk.Fault{Path: "$.answer", Message: "is required"})
	case len(d.value.Answer) > sdk.MaxAnswer:
		d.add(sdk.Fault{Path: "$.answer", Message: "is larger than " + strconv.Itoa(sdk.MaxAnswer) + " bytes"})
	}
	answer := s.redaction.Redactor.JSON(d.value.Answer)
	if len(answer) > max(sdk.MaxAnswer, len(d.value.Answer)) {
		d.add(sdk.Fault{Path: "$.answer", Message: "is larger than " + strconv.Itoa(sdk.MaxAnswer) + " bytes once its secrets are redacted"})
	}
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.checkOwner(ctx); err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	task, err := s.tasks.ProvideInput(ctx, callerOf(ctx).project, in.ID, workflows.ProvideInputInput{
		RequestID: d.value.RequestID, Answer: answer,
	})
	if err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	return &taskOutput{Status: http.StatusOK, Body: s.linked(task)}, nil
}
