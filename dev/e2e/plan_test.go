package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// referencePlan is the first plan on the page docs/reference/plans.md.
func referencePlan(t *testing.T) (request sdk.PlanRequest) {
	t.Helper()
	root, err := dev.Root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "reference", "plans.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "```yaml\n")
	written, _, found := strings.Cut(after, "```\n")
	if !found {
		t.Fatal("the page shows no plan")
	}
	raw, err := yaml.YAMLToJSON([]byte(written))
	if err != nil {
		t.Fatal(err)
	}
	if err := decodeStrictly(raw, &request); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return request
}

// parserOffice does the reference's plan. Its reviewer is content with the second version; the tests of the first never end by themselves.
type parserOffice struct {
	testing chan struct{} // closed when the first version is tested
	goOn    chan struct{} // closed by who has seen enough of the first version

	mu    sync.Mutex
	given map[sdk.TaskType][]json.RawMessage // the inputs of the tasks
}

// takes notes the input of a task and answers how many of its type there were before.
func (o *parserOffice) takes(a *sdk.Assignment) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.given[a.Task.Type] = append(o.given[a.Task.Type], a.Task.Input)
	return len(o.given[a.Task.Type]) - 1
}

func (o *parserOffice) office() office {
	return office{
		sdk.TypeCodeWrite: func(_ context.Context, a *sdk.Assignment) (*sdk.Result, error) {
			o.takes(a)
			var in struct {
				Language string
				Feedback struct{ Round int }
			}
			if err := json.Unmarshal(a.Task.Input, &in); err != nil {
				return nil, err
			}
			return answers(map[string]any{"language": in.Language, "version": in.Feedback.Round})
		},
		sdk.TypeCodeReview: func(ctx context.Context, a *sdk.Assignment) (*sdk.Result, error) {
			o.takes(a)
			var in struct{ Code struct{ Version int } }
			if err := json.Unmarshal(a.Task.Input, &in); err != nil {
				return nil, err
			}
			if in.Code.Version > 0 {
				return verdict(true, map[string]string{"summary": "fine"})
			}
			for _, fact := range []chan struct{}{o.testing, o.goOn} {
				select {
				case <-fact:
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
			}
			result, err := verdict(false, map[string]string{"summary": "no tests"})
			result.QualityGate = json.RawMessage(`{"score":40}`)
			return result, err
		},
		sdk.TypeCodeTest: func(ctx context.Context, a *sdk.Assignment) (*sdk.Result, error) {
			if o.takes(a) == 0 {
				close(o.testing)
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
			return answers(map[string]bool{"passed": true})
		},
		sdk.TypeCodeDocument: func(_ context.Context, a *sdk.Assignment) (*sdk.Result, error) {
			o.takes(a)
			return answers(map[string]int{"pages": 3})
		},
	}
}

// TestPlanOfTheReference does the plan of the reference: the first version is sent back, while it is still tested; what the second one brings is what
// the plan answers.
func TestPlanOfTheReference(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	o := &parserOffice{testing: make(chan struct{}), goOn: make(chan struct{}), given: map[sdk.TaskType][]json.RawMessage{}}
	s.atWork(4, o.office())
	p := s.plans(referencePlan(t))
	p.reaches("test", sdk.StepRunning)
	p.looksMeanwhile()
	close(o.goOn)
	plan := p.outcome()
	if took := time.Since(*plan.CompletedAt); took > busy(10*time.Second) {
		t.Errorf("its end was answered %s later", took)
	}
	p.wantStands(plan, sdk.StatusCompleted, "write completed", "review completed", "test completed", "document completed")
	for step, want := range map[string]int{"write": 1, "review": 1, "test": 1, "document": 0} {
		if s := plan.Step(step); s.Reworks != want || s.AgentID != "office" || s.StartedAt == nil || s.CompletedAt == nil {
			t.Errorf("the step %+v, want %d reworks", s, want)
		}
	}
	if diff := cmp.Diff(rawJSON(map[string]string{"parser": `{"language":"Go","version":1}`, "docs": `{"pages":3}`}), plan.Outputs); diff != "" {
		t.Errorf("the outputs: %s", diff)
	}
	o.wantGiven(t)
	p.wantParserStory()
	p.wantTasks(plan)
	p.wantListed(plan)
	if got := p.runOf().GetStatus(); got != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		t.Errorf("the run is %s", got)
	}
	if again, took := p.waited("?waitMs=30000"); again.Status != sdk.StatusCompleted || took > busy(5*time.Second) {
		t.Errorf("one that has ended is waited for %s: %s", took, again.Status)
	}
}

// looksMeanwhile reads a plan of which two steps run.
func (p *planned) looksMeanwhile() {
	p.t.Helper()
	plan, took := p.waited("?waitMs=300")
	p.wantStands(&plan, sdk.StatusRunning, "write completed", "review running", "test running", "document pending")
	if write := plan.Step("write"); string(write.Output) != `{"language":"Go","version":0}` || write.TaskID == "" || plan.StartedAt == nil || plan.Stale {
		p.t.Errorf("the step %+v of %+v", write, plan)
	}
	if took < 300*time.Millisecond {
		p.t.Errorf("it was answered after %s, which was to be 300 ms", took)
	}
	value, err := p.stack.Temporal().QueryWorkflow(p.t.Context(), workflows.PlanWorkflowID(p.project, p.id), "", "describe-plan")
	p.do(err)
	var described sdk.Plan
	p.do(value.Get(&described))
	if diff := cmp.Diff(standing(&plan), standing(&described)); diff != "" || described.ID != p.id {
		p.t.Errorf("the run says of itself: %s", diff)
	}
	details := p.shown()
	for _, step := range plan.Steps {
		if !strings.Contains(details, "| "+step.ID+" |") || !strings.Contains(details, "| "+string(step.Status)) {
			p.t.Errorf("the current details lack %s %s:\n%s", step.ID, step.Status, details)
		}
	}
}

// wantGiven checks the inputs of the tasks.
func (o *parserOffice) wantGiven(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for kind, want := range map[sdk.TaskType][]string{
		sdk.TypeCodeWrite: {
			`{"language":"Go"}`,
			`{"language":"Go","feedback":{"from":"review","round":1,"output":{"summary":"no tests"},"qualityGate":{"score":40},"previous":{"language":"Go","version":0}}}`,
		},
		sdk.TypeCodeReview:   {`{"code":{"language":"Go","version":0}}`, `{"code":{"language":"Go","version":1}}`},
		sdk.TypeCodeTest:     {`{"code":{"language":"Go","version":0}}`, `{"code":{"language":"Go","version":1}}`},
		sdk.TypeCodeDocument: {`{"code":{"language":"Go","version":1},"notes":"Reviewed: fine"}`},
	} {
		if len(o.given[kind]) != len(want) {
			t.Errorf("%d tasks of %s, want %d", len(o.given[kind]), kind, len(want))
			continue
		}
		for i, in := range o.given[kind] {
			if !sameJSON(t, in, want[i]) {
				t.Errorf("task %d of %s got %s, want %s", i+1, kind, in, want[i])
			}
		}
	}
}

// wantParserStory checks what was told of the steps: how each went, and that none began before what it needs had ended.
func (p *planned) wantParserStory() {
	p.t.Helper()
	ended, began, back := map[string]bool{}, map[string]int{}, []string{}
	for _, s := range p.steps() {
		switch s.To {
		case sdk.StepRunning:
			began[s.Step]++
			for _, need := range map[string][]string{"review": {"write"}, "test": {"write"}, "document": {"review", "test"}}[s.Step] {
				if !ended[need] {
					p.t.Errorf("%s begins, and %s has not ended", s.Step, need)
				}
			}
		case sdk.StepCompleted:
			ended[s.Step] = true
		case sdk.StepPending:
			ended[s.Step] = false
			if s.ReworkFor != "review" || s.Reworks != 1 {
				p.t.Errorf("a step begins anew: %+v", s)
			}
			back = append(back, s.Step)
		default: // ready, and the end of what is cancelled
		}
	}
	slices.Sort(back)
	if want := map[string]int{"write": 2, "review": 2, "test": 2, "document": 1}; !cmp.Equal(want, began) || !slices.Equal(back, []string{"review", "test", "write"}) {
		p.t.Errorf("the steps began %v, and anew: %q", began, back)
	}
}

// wantTasks checks the tasks of the plan: there are no others, and each says whose it is.
func (p *planned) wantTasks(plan *sdk.Plan) {
	p.t.Helper()
	var ids []string
	for step, tasks := range p.tasksOf() {
		ids = append(ids, tasks...)
		if last := tasks[len(tasks)-1]; plan.Step(step).TaskID != last {
			p.t.Errorf("the step %s has the task %s, and was told of %q", step, plan.Step(step).TaskID, tasks)
		}
	}
	p.listed("the plan's tasks", sdk.TaskFilter{PlanID: p.id}, ids...)
	told := map[string]bool{}
	for _, e := range p.story("task.") {
		told[e.Task] = true
	}
	for _, id := range ids {
		task, err := p.client.GetTask(p.t.Context(), id)
		p.do(err)
		if task.PlanID != p.id || task.FairnessKey != p.id || !strings.HasPrefix(id, p.id+"-p-") || !told[id] {
			p.t.Errorf("the task %s is of the plan %q, with the fairness key %q, and told of: %t", id, task.PlanID, task.FairnessKey, told[id])
		}
	}
}

// wantListed finds the plan in the list, without what would make that large.
func (p *planned) wantListed(plan *sdk.Plan) {
	p.t.Helper()
	p.eventually("the plan in the list", patience, func() error {
		for listed, err := range p.client.Plans(p.t.Context(), sdk.PlanFilter{Status: plan.Status}) {
			if err != nil {
				return dev.GiveUp(err)
			}
			if listed.ID != p.id {
				continue
			}
			if diff := cmp.Diff(standing(plan), standing(listed)); diff != "" || len(listed.Outputs) > 0 || len(listed.Steps[0].Output) > 0 {
				return fmt.Errorf("it is listed as %+v: %s", listed, diff)
			}
			return nil
		}
		return fmt.Errorf("no plan %s that is %s", p.id, plan.Status)
	})
}
