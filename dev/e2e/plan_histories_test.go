package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// keptPlan is a plan whose history is kept.
type keptPlan struct {
	request sdk.PlanRequest
	cancel  bool // it is, when so many of its tasks have begun as may at once
	want    sdk.Status
}

// keptPlans are the kept histories of plans by name; workflows/replay_test.go has the same names. What their agents do says planAgent.
func keptPlans() map[string]keptPlan {
	step := func(id string, change func(*sdk.PlanStep)) sdk.PlanStep {
		s := sdk.PlanStep{ID: id, Type: sdk.TypeCodeWrite, Title: id, Retry: &sdk.Retry{MaxAttempts: 1}}
		if change != nil {
			change(&s)
		}
		return s
	}
	needs := func(ids ...string) func(*sdk.PlanStep) { return func(s *sdk.PlanStep) { s.Needs = ids } }
	failing := []sdk.PlanStep{step("fail", nil), step("beside", nil), step("after", needs("fail")), step("apart", needs("beside"))}
	return map[string]keptPlan{
		"plan-plain": {want: sdk.StatusCompleted, request: sdk.PlanRequest{
			Inputs: map[string]json.RawMessage{"language": json.RawMessage(`"Go"`)},
			Steps: []sdk.PlanStep{
				step("write", func(s *sdk.PlanStep) { s.Input = json.RawMessage(`{"language":"${{ inputs.language }}"}`) }),
				step("test", needs("write")), step("document", needs("write")),
				step("never", func(s *sdk.PlanStep) { s.Needs, s.When = []string{"test", "document"}, "steps.write.output.round == 7" }),
			},
			Outputs: map[string]json.RawMessage{"round": json.RawMessage(`"${{ steps.write.output.round }}"`)},
		}},
		"plan-rework": {want: sdk.StatusCompleted, request: sdk.PlanRequest{Steps: []sdk.PlanStep{
			step("write", nil), step("hang once", func(s *sdk.PlanStep) {
				s.ID, s.Needs, s.Input = "beside", []string{"write"}, json.RawMessage(`{"code":"${{ steps.write.output }}"}`)
			}),
			step("review", func(s *sdk.PlanStep) {
				s.Needs, s.Input = []string{"write"}, json.RawMessage(`{"code":"${{ steps.write.output }}"}`)
				s.Gate = &sdk.Gate{Rework: "write"}
			}),
		}}},
		"plan-stop":     {want: sdk.StatusFailed, request: sdk.PlanRequest{Steps: failing, OnFailure: sdk.FailureStop}},
		"plan-continue": {want: sdk.StatusFailed, request: sdk.PlanRequest{Steps: failing, OnFailure: sdk.FailureContinue}},
		"plan-cancel": {cancel: true, want: sdk.StatusCancelled, request: sdk.PlanRequest{MaxParallel: 2, Steps: []sdk.PlanStep{
			step("hang", nil), step("hang too", func(s *sdk.PlanStep) { s.ID = "too" }), step("waits", nil),
		}}},
		"plan-planning": {want: sdk.StatusCompleted, request: sdk.PlanRequest{Goal: "a parser"}},
	}
}

// planAgent does what the title of a task says. A coordinator's first answer has a fault.
func planAgent(ctx context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
	var in struct {
		Code     struct{ Round int }
		Feedback json.RawMessage
		Faults   []sdk.Fault
	}
	if len(a.Task.Input) > 0 {
		if err := json.Unmarshal(a.Task.Input, &in); err != nil {
			return nil, err
		}
	}
	round := 1
	if in.Feedback != nil {
		round = 2
	}
	switch title := a.Task.Title; {
	case a.Task.Type == sdk.TypePlanFeature:
		needs := ""
		if len(in.Faults) == 0 {
			needs = `,"needs":["nobody"]`
		}
		return &sdk.Result{Output: json.RawMessage(`{"steps":[{"id":"write","type":"code.write","title":"write"` + needs + `}]}`)}, nil
	case title == "fail":
		return nil, errors.New("no ink")
	case title == "hang", title == "hang too", title == "hang once" && in.Code.Round == 1:
		<-ctx.Done()
		return nil, ctx.Err()
	case title == "review":
		passed := in.Code.Round > 1
		return &sdk.Result{Output: json.RawMessage(`{"summary":"tests"}`), QualityGatePassed: &passed}, nil
	default:
		return &sdk.Result{Output: json.RawMessage(fmt.Sprintf(`{"round":%d}`, round))}, nil
	}
}

// planHistories carries every kept plan out on a stack and adds the histories by name.
func planHistories(t *testing.T, stack *dev.Stack, h map[string]*historypb.History) {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{
		HostPort: stack.TemporalAddr(), Logger: slog.New(slog.DiscardHandler), Identity: "api", DataConverter: workflows.DataConverter(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for name, kept := range keptPlans() {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, stack)
			s.project = name
			s.inProcess("worker-1", 5, sdk.HandlerFunc(planAgent), sdk.RoleCoder, sdk.RoleCoordinator)
			if got := s.carryOut(c, kept); got != kept.want {
				t.Errorf("the plan is %s, want %s", got, kept.want)
			}
			h[name] = s.replayed(workflows.PlanWorkflowID(name, "p1"))
		})
	}
}

// carryOut starts a plan and answers how it has ended.
func (s *scene) carryOut(c client.Client, kept keptPlan) sdk.Status {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	kept.request.Title = "History of " + s.project
	in := workflows.PlanInput{Project: s.project, Organization: "acme", ID: "p1", Request: kept.request}
	plan := workflows.NewPlan(in, time.Now())
	id := workflows.PlanWorkflowID(s.project, in.ID)
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.ControlQueue, Memo: workflows.PlanStartMemo(plan, "digest"),
		TypedSearchAttributes: workflows.PlanStartAttributes(s.project, plan), StaticSummary: workflows.PlanSummary(plan),
	}, workflows.PlanWorkflow, in)
	s.do(err)
	if kept.cancel {
		s.eventually("the tasks", patience, func() error {
			h, err := historyOf(ctx, s.stack.Temporal(), id)
			started := 0
			for _, e := range h.GetEvents() {
				if e.GetEventType() == enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED {
					started++
				}
			}
			if err != nil {
				return err
			}
			return atLeast(kept.request.MaxParallel, started)
		})
		s.do(c.SignalWorkflow(ctx, id, "", workflows.CancelRequested.Name, workflows.CancelRequestedInput{Reason: "changed my mind"}))
		s.do(c.CancelWorkflow(ctx, id, ""))
	}
	if err := run.Get(ctx, &plan); err != nil {
		s.do(planIn(err, &plan))
	}
	return plan.Status
}

// planIn reads the record of a plan that did not complete.
func planIn(err error, plan *sdk.Plan) error {
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return failed.Details(plan)
	}
	if cancelled, ok := errors.AsType[*temporal.CanceledError](err); ok {
		return cancelled.Details(plan)
	}
	return err
}
