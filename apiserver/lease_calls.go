package apiserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"net/http"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// leaseRoutes are how agents work over HTTP.
func (s *Server) leaseRoutes(api huma.API) {
	const lease = "/v1/leases/{lease}"
	huma.Register(api, operation(http.MethodPost, "/v1/roles/{role}/claim", "claim-task", "Get a task of a role, or wait for one", http.StatusOK), s.claimTask)
	huma.Register(api, operation(http.MethodPost, lease+"/progress", "report-progress", "Say how an attempt gets on, and keep it", http.StatusOK), s.reportProgress)
	huma.Register(api, operation(http.MethodPost, lease+"/complete", "complete-attempt", "Complete an attempt", http.StatusOK), s.completeAttempt)
	huma.Register(api, operation(http.MethodPost, lease+"/fail", "fail-attempt", "Fail an attempt, or give it back", http.StatusOK), s.failAttempt)
	huma.Register(api, operation(http.MethodPost, lease+"/input-required", "ask-input", "End an attempt with a question", http.StatusOK), s.askInput)
}

// leaseInput is a call about a lease.
type leaseInput struct {
	Lease string `path:"lease" doc:"The lease, as the claim answered it."`

	body  requestBody
	query query
}

// Resolve takes the body and the whole query.
func (in *leaseInput) Resolve(ctx huma.Context) []error {
	in.body, in.query = readBody(humagin.Unwrap(ctx)), queryOf(ctx.URL())
	return nil
}

type leaseStatusOutput struct {
	Body sdk.LeaseStatus
}

type leaseEndOutput struct {
	Body sdk.LeaseEnd
}

// openLease answers the attempt that a lease is about. One that this server did not seal and one of another project look alike.
func (s *Server) openLease(ctx context.Context, lease string) (h activities.Hold, err error) {
	if err := s.needLeases(); err != nil {
		return h, err
	}
	unknown := sdk.Errorf(sdk.CodeNotFound, "there is no such lease in this project: send it whole, as the claim answered it")
	token, named := strings.CutPrefix(lease, leasePrefix)
	raw, opened := s.seals.Open(purposeLease, token)
	if !named || opened != nil || json.Unmarshal(raw, &h) != nil || h.Project != callerOf(ctx).project || s.checkOwner(ctx) != nil {
		return activities.Hold{}, unknown
	}
	return h, nil
}

// reportProgress takes an agent's word on its attempt, which is also its heartbeat.
func (s *Server) reportProgress(ctx context.Context, in *leaseInput) (*leaseStatusOutput, error) {
	d, fault := decode[sdk.LeaseProgress](in.body.orEmpty())
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	d.add(in.query.faults()...)
	d.add(progressFaults(d.value)...)
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	hold, err := s.openLease(ctx, in.Lease)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	word := s.wordOf(d.value.Resume, d.value.Metrics)
	if !d.value.Silent() {
		word.Progress, word.Without = s.progressOf(d.value), d.value.Percentage == nil
	}
	status, err := s.cfg.Leases.ReportAttempt(ctx, hold, word)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &leaseStatusOutput{Body: status}, nil
}

func (s *Server) completeAttempt(ctx context.Context, in *leaseInput) (*leaseEndOutput, error) {
	d, fault := decode[sdk.LeaseResult](in.body)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	d.add(resultFaults(d.value)...)
	return s.endAttempt(ctx, in, "complete", &d.faults, sdk.OutcomeCompleted, func() activities.Ending {
		return activities.Ending{Result: resultOf(d.value)}
	})
}

func (s *Server) failAttempt(ctx context.Context, in *leaseInput) (*leaseEndOutput, error) {
	d, fault := decode[sdk.LeaseFailure](in.body)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	d.add(failureFaults(d.value)...)
	outcome := sdk.OutcomeFailed
	if d.value.Error.Code == sdk.CodeInterrupted {
		outcome = sdk.OutcomeInterrupted
	}
	return s.endAttempt(ctx, in, "fail", &d.faults, outcome, func() activities.Ending {
		return activities.Ending{Failure: s.failureOf(d.value.Error), Word: s.wordOf(d.value.Resume, d.value.Metrics)}
	})
}

func (s *Server) askInput(ctx context.Context, in *leaseInput) (*leaseEndOutput, error) {
	d, fault := decode[sdk.LeaseQuestion](in.body)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	d.add(questionFaults(d.value)...)
	return s.endAttempt(ctx, in, "input-required", &d.faults, sdk.OutcomeInputRequired, func() activities.Ending {
		return activities.Ending{Question: s.questionOf(d.value), Word: s.wordOf(d.value.Resume, d.value.Metrics)}
	})
}

// endAttempt ends an attempt, once nothing is wrong with the request.
func (s *Server) endAttempt(ctx context.Context, in *leaseInput, how string, faults *faultList, outcome sdk.Outcome, read func() activities.Ending) (*leaseEndOutput, error) {
	faults.add(in.query.faults()...)
	if !faults.empty() {
		return nil, s.problem(ctx, faults.refusal())
	}
	hold, err := s.openLease(ctx, in.Lease)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	end := read()
	if end.Digest, err = endingDigest(how, in.body.raw); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.cfg.Leases.EndAttempt(ctx, hold, end); err != nil {
		return nil, s.problem(ctx, err)
	}
	return &leaseEndOutput{Body: sdk.LeaseEnd{Outcome: outcome}}, nil
}

// endingDigest tells one ending of an attempt from another, however its body is spaced.
func endingDigest(how string, raw []byte) (string, error) {
	canonical, err := canonicalRaw(raw)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append([]byte(how+"\x00"), canonical...))
	return hex.EncodeToString(sum[:16]), nil
}
