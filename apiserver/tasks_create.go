package apiserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/google/uuid"

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
	d.add(notYet(d.value)...)
	if e, ok := errors.AsType[*sdk.Error](d.value.Validate()); ok {
		d.add(e.Faults...)
	}
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	who := callerOf(ctx)
	id, digest, err := identity(who.project, key, d.value)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	request, err := s.redactRequest(d.value) // the digest is of what the caller sent
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	entry, fault := s.projects.enter(who)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	defer entry.leave()
	task, replayed, err := s.tasks.CreateTask(ctx, workflows.TaskInput{
		Project: who.project, Organization: who.organization, ID: id, Request: request, FairnessKey: who.key,
	}, digest)
	entry.created = err == nil
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

// identity is a new task's id and the digest of its request: with a key both follow from the request, without one the id is new
// and the digest empty.
func identity(project, key string, request sdk.TaskRequest) (id, digest string, err error) {
	if key == "" {
		fresh, err := uuid.NewV7()
		return fresh.String(), "", err
	}
	body, err := canonicalRequest(request)
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(body)
	return keyedID(project, key), hex.EncodeToString(sum[:]), nil
}

// keyedID is the id of what is created with an idempotency key.
func keyedID(project, key string) string {
	sum := sha256.Sum256([]byte(project + "\x00" + key))
	return "k" + hex.EncodeToString(sum[:20])
}

// canonicalRequest writes a request in the one way: what is left out, null or zero is not there, numbers are written by their
// value, and in raw fields as they came.
func canonicalRequest(r sdk.TaskRequest) ([]byte, error) {
	for _, raw := range []*json.RawMessage{&r.Input, &r.Budget} {
		if len(*raw) == 0 || isNull(*raw) {
			*raw = nil
			continue
		}
		canonical, err := canonicalRaw(*raw)
		if err != nil {
			return nil, err
		}
		*raw = canonical
	}
	return canonicalJSON(r)
}

// notYet refuses what a request may hold and this server would have to ignore.
func notYet(r sdk.TaskRequest) []sdk.Fault {
	var faults []sdk.Fault
	refuse := func(set bool, path, message string) {
		if set {
			faults = append(faults, sdk.Fault{Path: path, Message: message})
		}
	}
	refuse(len(r.Budget) > 0 && !isNull(r.Budget), "$.budget", "is reserved: leave it out")
	return faults
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }
