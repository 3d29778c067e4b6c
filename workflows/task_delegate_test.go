package workflows_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func childOf(parent, id string, with ...func(*workflows.DelegateTaskInput)) workflows.DelegateTaskInput {
	in := workflows.DelegateTaskInput{Child: workflows.TaskInput{Project: "default", ID: id, Request: sdk.TaskRequest{
		Type: sdk.TypeCodeTest, Title: "Test it", ParentID: parent,
	}}}
	for _, change := range with {
		change(&in)
	}
	return in
}

// delegation is what became of a delegate-task: its answer, or why it was refused.
type delegation struct {
	out  workflows.DelegateTaskOutput
	code sdk.Code
}

// delegate asks the run of env for a child; what becomes of it is in the answer once the run has gone on.
func delegate(t *testing.T, env *testsuite.TestWorkflowEnvironment, in workflows.DelegateTaskInput) *delegation {
	t.Helper()
	d := &delegation{code: "no answer"}
	note := func(err error) {
		if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
			d.code = sdk.Code(app.Type())
		} else if err != nil {
			t.Errorf("delegate %s: %v", in.Child.ID, err)
		}
	}
	env.UpdateWorkflow(workflows.DelegateTask.Name, in.Child.ID, &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: note,
		OnComplete: func(value any, err error) {
			if d.code = ""; err != nil {
				note(err)
			} else if out, ok := value.(workflows.DelegateTaskOutput); ok {
				d.out = out
			}
		},
	}, in)
	return d
}

// working is an attempt that lasts so long by the run's clock.
func working(d time.Duration) func(sdk.Assignment) (activities.AttemptReport, error) {
	return func(sdk.Assignment) (activities.AttemptReport, error) {
		return activities.AttemptReport{}, temporal.NewApplicationErrorWithOptions("busy", "overloaded", temporal.ApplicationErrorOptions{NextRetryDelay: d})
	}
}

// family is what a test's children were started with.
type family struct {
	started []workflows.TaskInput
	options map[string]string // by id: policy and search attributes
}

// newFamily is an environment whose children are no tasks but end at once, as given.
func newFamily(t *testing.T, s *script, end func(workflows.TaskInput) (sdk.Task, error)) (*testsuite.TestWorkflowEnvironment, *family) {
	t.Helper()
	return newFamilyOf(t, s, func(_ workflow.Context, in workflows.TaskInput) (sdk.Task, error) {
		if end == nil {
			return sdk.Task{}, nil
		}
		return end(in)
	})
}

// newFamilyOf is newFamily with children that go as given.
func newFamilyOf(t *testing.T, s *script, child func(workflow.Context, workflows.TaskInput) (sdk.Task, error)) (*testsuite.TestWorkflowEnvironment, *family) {
	t.Helper()
	f := &family{options: map[string]string{}}
	env := newEnvOf(t, s, func(ctx workflow.Context, in workflows.TaskInput) (sdk.Task, error) {
		if in.ID == "t1" {
			return workflows.Task(ctx, in)
		}
		f.started = append(f.started, in)
		parent, _ := workflow.GetTypedSearchAttributes(ctx).GetKeyword(workflows.AttrParent)
		f.options[in.ID] = fmt.Sprintf("%s of %s", workflow.GetInfo(ctx).WorkflowExecution.ID, parent)
		return child(ctx, in)
	})
	return env, f
}

func TestTask_Delegates(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{working(time.Hour), completes(`1`)}}
	env, f := newFamily(t, s, nil)
	in := input(request())
	in.RootID, in.Depth = "t0", 2
	var got *delegation
	env.RegisterDelayedCallback(func() { got = delegate(t, env, childOf("t1", "c1")) }, time.Minute)
	task, err := runWith(t, env, in)
	if err != nil {
		t.Fatal(err)
	}
	if got.code != "" || got.out.RootID != "t0" || got.out.Depth != 3 || got.out.RunID == "" {
		t.Errorf("answered %+v", got)
	}
	if len(f.started) != 1 || f.started[0].RootID != "t0" || f.started[0].Depth != 3 || f.started[0].Request.ParentID != "t1" {
		t.Errorf("started %+v", f.started)
	}
	if d := cmp.Diff(map[string]string{"c1": "task:default:c1 of t1"}, f.options); d != "" {
		t.Error(d)
	}
	if task.Status != sdk.StatusCompleted || task.RootID != "t0" {
		t.Errorf("%+v", task)
	}
	lines := s.log.types(t)
	if !slices.Contains(lines, "ai.delegation") || slices.Index(lines, "ai.delegation") > slices.Index(lines, "task.completed") {
		t.Errorf("told %q", lines)
	}
}

// TestTask_RefusesDelegations: what is refused starts nothing and is told of nowhere.
func TestTask_RefusesDelegations(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in    workflows.DelegateTaskInput
		depth int
		code  sdk.Code
	}{
		"the deepest":         {childOf("t1", "c1"), sdk.MaxDepth - 1, ""},
		"too deep":            {childOf("t1", "c1"), sdk.MaxDepth, sdk.CodeDelegationLimit},
		"another's child":     {childOf("t2", "c1"), 0, sdk.CodeInvalidInput},
		"its own child":       {childOf("t1", "t1"), 0, sdk.CodeInvalidInput},
		"another project's":   {childOf("t1", "c1", func(in *workflows.DelegateTaskInput) { in.Child.Project = "other" }), 0, sdk.CodeInvalidInput},
		"no task":             {childOf("t1", "c1", func(in *workflows.DelegateTaskInput) { in.Child.Request.Title = "" }), 0, sdk.CodeInvalidInput},
		"counted by no root":  {childOf("", "c1", func(in *workflows.DelegateTaskInput) { in.CountOnly = true }), 1, ""},
		"counted by the root": {childOf("", "c1", func(in *workflows.DelegateTaskInput) { in.CountOnly = true }), 0, ""},
		"an id that is no id": {childOf("t1", "c:1"), 0, sdk.CodeInvalidInput},
		"more than one's fill": {childOf("t1", "c1", func(in *workflows.DelegateTaskInput) {
			in.Child.Request.Description = strings.Repeat("x", sdk.MaxDescription+1)
		}), 0, sdk.CodeInvalidInput},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: []answer{working(time.Hour), completes(`1`)}}
			env, f := newFamily(t, s, nil)
			in := input(request())
			if in.Depth = tc.depth; tc.depth > 0 {
				in.RootID = "t0"
			}
			var got *delegation
			env.RegisterDelayedCallback(func() { got = delegate(t, env, tc.in) }, time.Minute)
			if _, err := runWith(t, env, in); err != nil {
				t.Fatal(err)
			}
			wants := 0
			if tc.code == "" && !tc.in.CountOnly {
				wants = 1
			}
			if got.code != tc.code || len(f.started) != wants || slices.Contains(s.log.types(t), "ai.delegation") != (wants == 1) {
				t.Errorf("code %q, want %q; started %d, want %d; told %q", got.code, tc.code, len(f.started), wants, s.log.types(t))
			}
		})
	}
}

// TestTask_BoundsItsFamily: children and those below them count together, each once.
func TestTask_BoundsItsFamily(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{working(time.Hour), completes(`1`)}}
	env, f := newFamily(t, s, nil)
	countOnly := func(in *workflows.DelegateTaskInput) { in.CountOnly = true }
	refused, again := &delegation{}, &delegation{}
	env.RegisterDelayedCallback(func() {
		for i := range sdk.MaxDescendants - 20 {
			delegate(t, env, childOf("", fmt.Sprintf("d%d", i), countOnly))
		}
		for i := range 20 {
			delegate(t, env, childOf("t1", fmt.Sprintf("c%d", i)))
		}
	}, time.Minute)
	env.RegisterDelayedCallback(func() {
		refused = delegate(t, env, childOf("t1", "c20"))
		in := childOf("", "d7", countOnly)
		again = delegate(t, env, in)
	}, 2*time.Minute)
	if _, err := run(t, env, request()); err != nil {
		t.Fatal(err)
	}
	if refused.code != sdk.CodeDelegationLimit || len(f.started) != 20 {
		t.Errorf("the task too many: %+v, started %d", refused, len(f.started))
	}
	if again.code != "no answer" && again.code != "" {
		t.Errorf("one that is counted already: %+v", again)
	}
}

// TestTask_CountsTheResultsOfItsChildren: what the ends of children put into its history leaves no room for more.
func TestTask_CountsTheResultsOfItsChildren(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{working(time.Hour), completes(`1`)}}
	large := strings.Repeat("x", 1<<20)
	env, f := newFamily(t, s, func(workflows.TaskInput) (sdk.Task, error) { return sdk.Task{Description: large}, nil })
	var codes []sdk.Code
	var next func(i int)
	next = func(i int) {
		d := delegate(t, env, childOf("t1", fmt.Sprintf("c%d", i)))
		env.RegisterDelayedCallback(func() {
			if codes = append(codes, d.code); d.code == "" {
				next(i + 1)
			}
		}, time.Second)
	}
	env.RegisterDelayedCallback(func() { next(0) }, time.Minute)
	if _, err := run(t, env, request()); err != nil {
		t.Fatal(err)
	}
	if n := len(f.started); n < 25 || n > 30 || codes[len(codes)-1] != sdk.CodeDelegationLimit {
		t.Errorf("%d children of 1 MiB, then %q", n, codes[len(codes)-1])
	}
}

func TestTask_TakesNoChildrenOnceItEnds(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{working(time.Hour)}}
	env, f := newFamily(t, s, nil)
	var before, after *delegation
	env.RegisterDelayedCallback(func() {
		before = delegate(t, env, childOf("t1", "c1"))
		env.CancelWorkflow()
		after = delegate(t, env, childOf("t1", "c2"))
	}, time.Minute)
	task, _ := run(t, env, request())
	if task.Status != sdk.StatusCancelled {
		t.Fatalf("the task is %s", task.Status)
	}
	started := 0
	if before.code == "" {
		started = 1
	}
	if len(f.started) != started || after.code == "" {
		t.Errorf("before: %+v, after: %+v; started %d", before, after, len(f.started))
	}
}
