package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	// attemptKeyPrefix begins the key of an attempt, so that people and secret scanners know one when they see it.
	attemptKeyPrefix = "ra_"
	// purposeAttemptKey keeps other sealed tokens from being taken for such a key.
	purposeAttemptKey = "attempt-key"
)

// attemptClaims are what the key of an attempt says, sealed. The server keeps nothing about it.
type attemptClaims struct {
	Project      string `json:"project"`
	Organization string `json:"organization"`
	Task         string `json:"task"`
	Stage        int    `json:"stage"`
	Attempt      int    `json:"attempt"`
	Key          string `json:"key"` // the id of the API key that it was minted with
	// StartedMs is when the agent took the attempt: one that is taken again, after an operator's reset, has another.
	StartedMs int64 `json:"startedMs"`
	ExpiresMs int64 `json:"expiresMs"`
}

// name is the attempt's among all others.
func (c attemptClaims) name() string {
	return fmt.Sprintf("%s/%s/%d.%d", c.Project, c.Task, c.Stage, c.Attempt)
}

// attemptKeyRequest is the body of a request for an attempt's key.
type attemptKeyRequest struct {
	Stage   int `json:"stage,omitempty" minimum:"0" doc:"The attempt's stage, as the assignment has it. Default 0."`
	Attempt int `json:"attempt" minimum:"1" doc:"The attempt's number in its stage, as the assignment has it."`
}

type mintAttemptKeyInput struct {
	ID string `path:"id" doc:"The id of a running task."`

	body  requestBody
	query query
}

// Resolve takes the body and the whole query.
func (in *mintAttemptKeyInput) Resolve(ctx huma.Context) []error {
	in.body, in.query = readBody(humagin.Unwrap(ctx)), queryOf(ctx.URL())
	return nil
}

type mintAttemptKeyOutput struct {
	Body sdk.AttemptKey
}

// mintAttemptKey makes a key for the agent of an attempt that a worker has in hand.
func (s *Server) mintAttemptKey(ctx context.Context, in *mintAttemptKeyInput) (*mintAttemptKeyOutput, error) {
	d, fault := decode[attemptKeyRequest](in.body)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	d.add(idFaults(in.ID)...)
	d.add(in.query.faults()...)
	if d.value.Stage < 0 {
		d.add(sdk.Fault{Path: "$.stage", Message: "must be 0 or more, as the assignment has it"})
	}
	if d.value.Attempt < 1 {
		d.add(sdk.Fault{Path: "$.attempt", Message: "is required: 1 or more, as the assignment has it"})
	}
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if s.keys == nil {
		return nil, s.problem(ctx, sdk.Errorf(sdk.CodeConflict, "this server has no keys, so that an agent needs none: leave EVENTS_API_KEY empty"))
	}
	who := callerOf(ctx)
	claims := attemptClaims{
		Project: who.project, Organization: who.organization, Task: in.ID, Stage: d.value.Stage, Attempt: d.value.Attempt, Key: who.key,
	}
	task, running, err := s.runningAttempt(ctx, claims)
	if err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	if running == nil {
		return nil, s.problem(ctx, sdk.Errorf(sdk.CodeConflict, "no agent has attempt %d of stage %d now; a key is made for one that runs", claims.Attempt, claims.Stage))
	}
	key, err := s.sealAttemptKey(claims, running.StartedAt, deadlineOf(task, *running))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &mintAttemptKeyOutput{Body: key}, nil
}

func (s *Server) sealAttemptKey(claims attemptClaims, started, expires time.Time) (sdk.AttemptKey, error) {
	claims.StartedMs, claims.ExpiresMs = started.UnixMilli(), expires.UnixMilli()
	raw, err := json.Marshal(claims)
	if err != nil {
		return sdk.AttemptKey{}, err
	}
	token, err := s.seals.Seal(purposeAttemptKey, raw)
	if err != nil {
		return sdk.AttemptKey{}, err
	}
	return sdk.AttemptKey{Key: attemptKeyPrefix + token, ExpiresAt: time.UnixMilli(claims.ExpiresMs).UTC()}, nil
}

// runningAttempt answers the task with the attempt that the claims are about, nil when no agent has it now. What was read before
// can tell that one runs, or that it is over; that it does not run yet is looked at afresh.
func (s *Server) runningAttempt(ctx context.Context, claims attemptClaims) (sdk.Task, *sdk.Attempt, error) {
	task, err := s.tasks.GetTask(ctx, claims.Project, claims.Task)
	if err != nil {
		return task, nil, err
	}
	if running := claims.among(task); running != nil || claims.over(task) {
		return task, running, nil
	}
	task, err = s.tasks.LookTask(ctx, claims.Project, claims.Task)
	if err != nil {
		return task, nil, err
	}
	return task, claims.among(task), nil
}

// among finds the attempt as the one that a task's agent has.
func (c attemptClaims) among(t sdk.Task) *sdk.Attempt {
	if t.Status.Terminal() || len(t.Attempts) == 0 {
		return nil
	}
	last := &t.Attempts[len(t.Attempts)-1]
	if last.EndedAt != nil || last.Stage != c.Stage || last.Attempt != c.Attempt {
		return nil
	}
	if c.StartedMs != 0 && last.StartedAt.UnixMilli() != c.StartedMs {
		return nil
	}
	return last
}

// over reports whether a task, as it was read at any time, shows that the attempt of a key has ended: something at the task happened
// after the agent took it that ends it. What is older says nothing: an operator's reset begins a task again from an earlier attempt. Of
// claims that no key was made for yet it is false.
func (c attemptClaims) over(t sdk.Task) bool {
	if c.StartedMs == 0 {
		return false
	}
	if t.Status.Terminal() && t.CompletedAt != nil && t.CompletedAt.UnixMilli() >= c.StartedMs {
		return true
	}
	for _, a := range t.Attempts {
		if a.Stage < c.Stage || a.Stage == c.Stage && a.Attempt < c.Attempt {
			continue
		}
		if a.StartedAt.UnixMilli() > c.StartedMs || a.EndedAt != nil && a.EndedAt.UnixMilli() >= c.StartedMs {
			return true
		}
	}
	return false
}

// deadlineOf is when an attempt ends at the latest.
func deadlineOf(t sdk.Task, a sdk.Attempt) time.Time {
	most := t.Timeouts.AttemptMs
	if a.Stage > 0 && a.Stage <= len(t.Fallback) && t.Fallback[a.Stage-1].Timeouts != nil {
		most = t.Fallback[a.Stage-1].Timeouts.AttemptMs
	}
	ends := a.StartedAt.Add(time.Duration(most) * time.Millisecond)
	if total := t.CreatedAt.Add(time.Duration(t.Timeouts.TotalMs) * time.Millisecond); total.Before(ends) {
		return total
	}
	return ends
}
