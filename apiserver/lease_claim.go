package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	// leasePrefix begins a lease, so that people and secret scanners know one when they see it.
	leasePrefix = "rl_"
	// purposeLease keeps other sealed tokens from being taken for a lease.
	purposeLease = "lease"
	// leastClaim is how long a claim waits at least, whatever it asks for.
	leastClaim = 1200 * time.Millisecond
)

type claimTaskInput struct {
	Role string `path:"role" doc:"The role to work for." example:"coder"`

	body    requestBody
	query   query
	request *http.Request
}

// Resolve takes the body and the whole query.
func (in *claimTaskInput) Resolve(ctx huma.Context) []error {
	c := humagin.Unwrap(ctx)
	in.body, in.query, in.request = readBody(c), queryOf(ctx.URL()), c.Request
	return nil
}

type claimTaskOutput struct {
	Status int
	Body   *sdk.Lease
}

// claimTask gives an agent a task of a role as soon as there is one, or none when the wait is over or the server stops.
func (s *Server) claimTask(ctx context.Context, in *claimTaskInput) (*claimTaskOutput, error) {
	d, fault := decode[sdk.ClaimRequest](in.body)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	d.add(in.query.faults()...)
	d.add(claimFaults(in.Role, d.value)...)
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.needLeases(); err != nil {
		return nil, s.problem(ctx, err)
	}
	none, wait := &claimTaskOutput{Status: http.StatusNoContent}, time.Duration(d.value.WaitMs)*time.Millisecond
	if s.checkOwner(ctx) != nil { // what is in the project is not there for this caller
		if err := s.idle(ctx, wait); err != nil {
			return nil, s.problem(ctx, err)
		}
		return none, nil
	}
	claim := activities.Claim{Project: callerOf(ctx).project, Role: sdk.Role(in.Role), AgentID: d.value.AgentID, Wait: wait}
	claim.Addressed = s.addressed(ctx, claim.Project, claim.Role, claim.AgentID)
	defer s.asking(claim.Project, claim.AgentID)()
	claimed, err := s.claim(ctx, claim, s.stillMay(in.request, keys.ScopeWork))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	if claimed == nil {
		return none, nil
	}
	lease, err := s.sealLease(claimed)
	if err == nil {
		err = context.Cause(ctx) // nobody would hear of it
	}
	if err != nil {
		s.cfg.Leases.ReturnAttempt(claimed.Hold)
		return nil, s.problem(ctx, err)
	}
	return &claimTaskOutput{Status: http.StatusOK, Body: lease}, nil
}

func claimFaults(role string, r sdk.ClaimRequest) (faults []sdk.Fault) {
	if !sdk.Role(role).Valid() {
		faults = append(faults, sdk.Fault{Path: "path.role", Message: "must start with a lower-case letter and hold at most 63 of a-z, 0-9 and -"})
	}
	switch {
	case r.AgentID == "":
		faults = append(faults, sdk.Fault{Path: "$.agentId", Message: "is required: the id that the agent works as"})
	case !sdk.ValidID(r.AgentID):
		faults = append(faults, sdk.Fault{Path: "$.agentId", Message: "must start with a letter or digit and hold at most 128 of A-Z, a-z, 0-9, _ and -"})
	}
	if r.WaitMs < 0 || r.WaitMs > sdk.MaxWaitMs {
		faults = append(faults, sdk.Fault{Path: "$.waitMs", Message: "must be from 0 to " + strconv.Itoa(sdk.MaxWaitMs)})
	}
	return faults
}

// idle waits as a claim does for which nothing comes.
func (s *Server) idle(ctx context.Context, wait time.Duration) error {
	leave, fault := s.waits.enter(callerOf(ctx))
	if fault != nil {
		return fault
	}
	defer leave()
	late := time.NewTimer(max(wait, leastClaim))
	defer late.Stop()
	select {
	case <-late.C:
	case <-ctx.Done():
	case <-s.draining.Done():
	}
	return nil
}

// claim waits for a task on behalf of a caller who may go on.
func (s *Server) claim(ctx context.Context, claim activities.Claim, may func(context.Context) *sdk.Error) (*activities.Claimed, error) {
	if s.draining.Err() != nil {
		return nil, nil
	}
	leave, fault := s.waits.enter(callerOf(ctx))
	if fault != nil {
		return nil, fault
	}
	defer leave()
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.draining, func() { cancel(errDraining) })()
	defer every(s.times.heartbeat, func() {
		if err := may(waiting); err != nil {
			cancel(err)
		}
	})()
	claimed, err := s.cfg.Leases.ClaimTask(waiting, claim)
	if refused, ok := errors.AsType[*sdk.Error](context.Cause(waiting)); ok {
		if claimed != nil {
			s.cfg.Leases.ReturnAttempt(claimed.Hold)
		}
		return nil, refused
	}
	return claimed, err
}

// sealLease is a claimed attempt as its agent gets it.
func (s *Server) sealLease(c *activities.Claimed) (*sdk.Lease, error) {
	raw, err := json.Marshal(c.Hold)
	if err != nil {
		return nil, err
	}
	token, err := s.seals.Seal(purposeLease, raw)
	if err != nil {
		return nil, err
	}
	a := c.Assignment
	a.Task.Links = sdk.Links{Self: "/v1/tasks/" + a.Task.ID}
	return &sdk.Lease{
		Token: leasePrefix + token, ExpiresAt: c.ExpiresAt.UTC(), HeartbeatMs: c.Hold.HeartbeatMs, Attempt: a.Attempt, MaxAttempts: a.MaxAttempts,
		Stage: a.Stage, Model: a.Model, Resume: a.Resume, Answers: a.Answers, Deadline: a.Deadline, Task: s.linked(a.Task),
	}, nil
}

// needLeases refuses what is about leases on a server that has none.
func (s *Server) needLeases() error {
	if s.cfg.Leases != nil {
		return nil
	}
	return sdk.Errorf(sdk.CodeUnavailable, "agents can not work over HTTP with this server; ask one that has leases")
}
