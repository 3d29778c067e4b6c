package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync/atomic"

	"github.com/rolecall-dev/rolecall/sdk"
)

// step is a step of a plan as a case writes it.
func step(id string, kind sdk.TaskType, with ...func(*sdk.PlanStep)) sdk.PlanStep {
	s := sdk.PlanStep{ID: id, Type: kind, Title: "Do " + id}
	for _, change := range with {
		change(&s)
	}
	return s
}

func needing(ids ...string) func(*sdk.PlanStep) {
	return func(s *sdk.PlanStep) { s.Needs = ids }
}

func given(input string) func(*sdk.PlanStep) {
	return func(s *sdk.PlanStep) { s.Input = json.RawMessage(input) }
}

func when(condition string) func(*sdk.PlanStep) {
	return func(s *sdk.PlanStep) { s.When = condition }
}

// values are inputs or outputs of a plan, of one JSON object.
func (s *scene) values(object string) map[string]json.RawMessage {
	s.Helper()
	var m map[string]json.RawMessage
	s.do(json.Unmarshal([]byte(object), &m))
	return m
}

// plan starts a plan of the steps.
func (s *scene) plan(steps []sdk.PlanStep, with ...func(*sdk.PlanRequest)) *sdk.Plan {
	s.Helper()
	request := sdk.PlanRequest{Title: s.name, Steps: steps}
	for _, change := range with {
		change(&request)
	}
	plan, err := s.client.CreatePlan(s.Context(), request)
	s.do(err)
	return plan
}

// planEnded waits for the end of a plan.
func (s *scene) planEnded(id string) *sdk.Plan {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	plan, err := s.client.WaitForPlan(ctx, id)
	s.do(err)
	return plan
}

// stepIs waits until a step of a plan has a status.
func (s *scene) stepIs(plan, id string, status sdk.StepStatus) *sdk.Step {
	s.Helper()
	var found *sdk.Step
	s.eventually("a step that is "+string(status), func() error {
		now, err := s.client.GetPlan(s.Context(), plan)
		if err != nil {
			return err
		}
		if found = now.Step(id); found == nil || found.Status != status {
			return fmt.Errorf("%s is %+v", id, found)
		}
		return nil
	})
	return found
}

// stood checks how the steps of a plan ended, each as "id status".
func (s *scene) stood(plan *sdk.Plan, status sdk.Status, want ...string) {
	s.Helper()
	got := []string{}
	for _, step := range plan.Steps {
		got = append(got, step.ID+" "+string(step.Status))
	}
	if plan.Status != status || !slices.Equal(got, want) {
		s.Errorf("the plan is %s (%v) with %q, want %s with %q", plan.Status, plan.Err(), got, status, want)
	}
}

// withoutIDs is what is about a plan without its id and those of its tasks.
func withoutIDs(raw []byte, plan string) []byte {
	tasks := regexp.MustCompile(regexp.QuoteMeta(plan) + `-p-[0-9a-f]{16}`)
	return bytes.ReplaceAll(tasks.ReplaceAll(raw, []byte("TASK")), []byte(plan), []byte("ID"))
}

// likePlan compares a plan with the one in the file, both masked.
func (s *scene) likePlan(file string, plan *sdk.Plan) {
	s.Helper()
	if plan.Links.Self != "/v1/plans/"+plan.ID || plan.Links.Events == "" {
		s.Errorf("the plan's links are %+v", plan.Links)
	}
	raw, err := json.Marshal(plan)
	s.do(err)
	var tree map[string]any
	s.do(json.Unmarshal(withoutIDs(raw, plan.ID), &tree))
	delete(tree, "links")
	mask(tree)
	out, err := json.MarshalIndent(tree, "", "  ")
	s.do(err)
	s.same(file, append(out, '\n'))
}

// echoing is an agent that answers what it was given.
func echoing() sdk.Handler {
	return sdk.HandlerFunc(func(_ context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		return &sdk.Result{Output: a.Task.Input}, nil
	})
}

// failing is an agent that fails for good.
func failing() sdk.Handler {
	return sdk.HandlerFunc(func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
		return nil, sdk.Final("too_hard", errors.New("it is too hard"))
	})
}

// answering is an agent that answers its tasks in turn, whichever they are; the last answer answers all that follow.
func answering(answers ...sdk.Result) sdk.Handler {
	var n atomic.Int64
	return sdk.HandlerFunc(func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
		answer := answers[min(int(n.Add(1)), len(answers))-1]
		return &answer, nil
	})
}
