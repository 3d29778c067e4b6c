package apiserver

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

type createPlanInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 255 printable ASCII characters. The same key and body answer the first plan again."`

	body  requestBody
	keys  []string
	query query
}

// Resolve takes what huma has no eyes for.
func (in *createPlanInput) Resolve(ctx huma.Context) []error {
	c := humagin.Unwrap(ctx)
	in.body, in.keys, in.query = readBody(c), c.Request.Header.Values("Idempotency-Key"), queryOf(ctx.URL())
	return nil
}

type createPlanOutput struct {
	Status   int
	Location string `header:"Location" doc:"Where the plan is read."`
	Replayed string `header:"Idempotent-Replayed" doc:"true when the plan was created by an earlier request of the same key."`
	Body     sdk.Plan
}

func (s *Server) createPlan(ctx context.Context, in *createPlanInput) (*createPlanOutput, error) {
	d, fault := decode[sdk.PlanRequest](in.body)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	key, faults := keyFaults(in.keys)
	d.add(faults...)
	d.add(in.query.faults()...)
	d.add(notYet(d.value.Budget)...)
	stored := s.redactPlan(d.value) // the digest is of what the caller sent
	d.faults.addAll(planFaults(workflows.CheckPlan(d.value), stored.faults)...)
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := stored.check(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.needPlans(); err != nil {
		return nil, s.problem(ctx, err)
	}
	who := callerOf(ctx)
	plan, replayed, err := create(ctx, s, creation[sdk.Plan]{
		key: key, digest: func() (string, error) { return digestOfPlan(d.value) },
		start: func(id, digest string) (sdk.Plan, bool, error) {
			return s.cfg.Plans.CreatePlan(ctx, workflows.PlanInput{
				Project: who.project, Organization: who.organization, ID: id, Request: stored.plan, FairnessKey: who.key,
			}, digest)
		},
	})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &createPlanOutput{Status: http.StatusCreated, Location: "/v1/plans/" + plan.ID, Body: s.linkedPlan(plan)}
	if replayed {
		out.Status, out.Replayed = http.StatusOK, "true"
	}
	return out, nil
}

// planFaults are those of a plan and of what is stored of it. What is said of all of it comes first: how many more faults there are is named.
func planFaults(wrong error, stored []sdk.Fault) (faults []sdk.Fault) {
	of := append(slices.Clone(faultsOf(wrong)), stored...)
	for _, ofAll := range []bool{true, false} {
		for _, f := range of {
			if (f.Path == "$") == ofAll {
				faults = append(faults, f)
			}
		}
	}
	return faults
}

// digestOfPlan is that of a plan as [canonicalRequest] writes a task.
func digestOfPlan(r sdk.PlanRequest) (digest string, err error) {
	r.Steps, r.Budget = slices.Clone(r.Steps), nil
	if r.Inputs, err = canonicalFields(r.Inputs); err != nil {
		return "", err
	}
	if r.Outputs, err = canonicalFields(r.Outputs); err != nil {
		return "", err
	}
	for i := range r.Steps {
		if r.Steps[i].Input, err = canonicalField(r.Steps[i].Input); err != nil {
			return "", err
		}
	}
	return digestOf(r)
}

func canonicalFields(m map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	out := make(map[string]json.RawMessage, len(m))
	for name, raw := range m {
		canonical, err := canonicalRaw(raw)
		if err != nil {
			return nil, err
		}
		out[name] = canonical
	}
	return out, nil
}
