package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkpb "go.temporal.io/api/sdk/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// planned is a plan of a scene. Its stream is followed from its creation on.
type planned struct {
	*scene
	id   string
	over chan struct{} // closed when the stream has ended

	mu     sync.Mutex
	events []*sdk.Event
	failed error // of the stream
}

// plans hands out a plan.
func (s *scene) plans(request sdk.PlanRequest) *planned {
	s.t.Helper()
	created, err := s.client.CreatePlan(s.t.Context(), request)
	s.do(err)
	p := &planned{scene: s, id: created.ID, over: make(chan struct{})}
	go p.follow()
	s.t.Cleanup(func() { <-p.over })
	return p
}

func (p *planned) follow() {
	defer close(p.over)
	for e, err := range p.client.PlanEvents(p.t.Context(), p.id) {
		p.mu.Lock()
		if p.failed = err; err == nil {
			p.events = append(p.events, e)
		}
		p.mu.Unlock()
	}
}

// outcome waits for the end of the plan and of its stream, and looks at the stream.
func (p *planned) outcome() *sdk.Plan {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	plan, err := p.client.WaitForPlan(ctx, p.id)
	if err != nil {
		p.t.Fatalf("waiting for the end of the plan: %v; it stands at %v", err, standing(plan))
	}
	select {
	case <-p.over:
	case <-ctx.Done():
		p.t.Fatalf("the plan is %s, and its stream goes on after %d events", plan.Status, len(p.story("")))
	}
	p.do(p.failed)
	p.wantWhole(plan)
	return plan
}

// standing is a plan's steps as "id status".
func standing(plan *sdk.Plan) (list []string) {
	if plan == nil {
		return nil
	}
	for _, s := range plan.Steps {
		list = append(list, s.ID+" "+string(s.Status))
	}
	return list
}

// story is what the stream has told so far of the types that begin so.
func (p *planned) story(prefix string) (list []*sdk.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if strings.HasPrefix(string(e.Type), prefix) {
			list = append(list, e)
		}
	}
	return list
}

// wantWhole checks a stream that has ended: everything in it is of the plan or one of its tasks, each in its order and without gaps, and what it told of
// the plan is what the log keeps.
func (p *planned) wantWhole(plan *sdk.Plan) {
	p.t.Helper()
	seq, sequence := map[string]int{}, ""
	for _, e := range p.story("") {
		if e.Plan != p.id || e.Sequence <= sequence {
			p.t.Errorf("after %s came %s of the plan %q at %s", sequence, e.Type, e.Plan, e.Sequence)
		}
		sequence = e.Sequence
		if seq[e.Subject]++; e.Seq != seq[e.Subject] {
			p.t.Errorf("number %d of %s has seq %d: %s", seq[e.Subject], e.Subject, e.Seq, e.Type)
			seq[e.Subject] = e.Seq
		}
	}
	own := p.story("plan.")
	if n := len(own); n < 2 || own[0].Type != sdk.EventPlanCreated || own[n-1].Type != sdk.EventType("plan."+string(plan.Status)) {
		p.t.Fatalf("the plan is %s, and is told in %d events", plan.Status, n)
	}
	var told, kept []sdk.Event
	for _, e := range own {
		told = append(told, *e)
	}
	for _, e := range p.kept() {
		if e.Plan == p.id && strings.HasPrefix(string(e.Type), "plan.") {
			kept = append(kept, e)
		}
	}
	if diff := cmp.Diff(places(kept), places(told)); diff != "" {
		p.t.Errorf("what the log keeps (-) and what the stream told (+):\n%s", diff)
	}
	var last sdk.PlanEnded
	p.do(json.Unmarshal(own[len(own)-1].Data, &last))
	if all := last.Completed + last.Failed + last.Cancelled + last.Skipped; last.Status != plan.Status || all != len(plan.Steps) {
		p.t.Errorf("the last event is %+v, of a plan that is %s, with %d steps", last, plan.Status, len(plan.Steps))
	}
}

// steps is what the stream tells of steps.
func (p *planned) steps() (list []sdk.PlanStepped) {
	p.t.Helper()
	for _, e := range p.story(string(sdk.EventPlanStep)) {
		var s sdk.PlanStepped
		p.do(json.Unmarshal(e.Data, &s))
		list = append(list, s)
	}
	return list
}

// tasksOf are the tasks of the plan as its stream tells of them, each once, by step.
func (p *planned) tasksOf() map[string][]string {
	p.t.Helper()
	tasks := map[string][]string{}
	for _, s := range p.steps() {
		if s.TaskID != "" && !slices.Contains(tasks[s.Step], s.TaskID) {
			tasks[s.Step] = append(tasks[s.Step], s.TaskID)
		}
	}
	return tasks
}

// reaches waits until GET answers that a step stands so.
func (p *planned) reaches(step string, status sdk.StepStatus) *sdk.Plan {
	p.t.Helper()
	var plan *sdk.Plan
	p.eventually(step+" "+string(status), patience, func() (err error) {
		if plan, err = p.client.GetPlan(p.t.Context(), p.id); err != nil {
			return err
		}
		if s := plan.Step(step); s == nil || s.Status != status {
			return fmt.Errorf("the plan is %s: %v", plan.Status, standing(plan))
		}
		return nil
	})
	return plan
}

// wantStands checks the steps of a plan, as "id status", in the order of the plan.
func (p *planned) wantStands(plan *sdk.Plan, status sdk.Status, want ...string) {
	p.t.Helper()
	if diff := cmp.Diff(want, standing(plan)); plan.Status != status || diff != "" {
		p.t.Fatalf("the plan is %s, want %s (error %v); its steps: %s", plan.Status, status, plan.Error, diff)
	}
}

// waited asks for the plan over bare HTTP, with the query as it is, and answers how long that took.
func (p *planned) waited(query string) (plan sdk.Plan, took time.Duration) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.stack.URL()+"/v1/plans/"+p.id+query, nil)
	p.do(err)
	req.Header.Set("Rolecall-Project", p.project)
	began := time.Now()
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	p.do(err)
	raw, err := io.ReadAll(resp.Body)
	if p.do(errors.Join(err, resp.Body.Close())); resp.StatusCode != http.StatusOK {
		p.t.Fatalf("GET answers %d %s", resp.StatusCode, raw)
	}
	p.do(decodeStrictly(raw, &plan))
	return plan, time.Since(began)
}

// shown are the current details of the plan's run, asked for as the UI does.
func (p *planned) shown() string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	value, err := p.stack.Temporal().QueryWorkflow(ctx, workflows.PlanWorkflowID(p.project, p.id), "", "__temporal_workflow_metadata")
	p.do(err)
	var metadata sdkpb.WorkflowMetadata
	p.do(value.Get(&metadata))
	return metadata.GetCurrentDetails()
}

// office is a handler of many roles, which does each task by its type.
type office map[sdk.TaskType]func(ctx context.Context, a *sdk.Assignment) (*sdk.Result, error)

// Handle implements [sdk.Handler].
func (o office) Handle(ctx context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
	do := o[a.Task.Type]
	if do == nil {
		return nil, sdk.Final("", fmt.Errorf("nobody here does %s", a.Task.Type))
	}
	return do(ctx, a)
}

// atWork runs an agent for all the roles that do code, in this process.
func (s *scene) atWork(slots int, h sdk.Handler) {
	s.t.Helper()
	s.inProcess("office", slots, h, sdk.RoleCoder, sdk.RoleReviewer, sdk.RoleTester, sdk.RoleDocumenter)
}

// answers is a result with that output.
func answers(output any) (*sdk.Result, error) {
	raw, err := json.Marshal(output)
	return &sdk.Result{Output: raw}, err
}

// verdict is a result of one that judges.
func verdict(passed bool, output any) (*sdk.Result, error) {
	result, err := answers(output)
	result.QualityGatePassed = &passed
	return result, err
}

// rawJSON are values written as JSON.
func rawJSON(values map[string]string) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for name, value := range values {
		all[name] = json.RawMessage(value)
	}
	return all
}
