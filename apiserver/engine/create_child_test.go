package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// familyRuns is a Temporal with the run of a parent, and what its runs answer to delegate-task.
type familyRuns struct {
	*oneRun
	answers map[string]error             // by workflow id; what is not there takes the child
	busy    int                          // how often the parent refuses for now
	other   *workflows.DelegateTaskInput // whose asking with the same id was taken, instead of this one
	asked   []string
	below   int64              // the root, as Temporal lists them
	above   map[string]*oneRun // other runs, by workflow id
	query   string
}

func (f *familyRuns) DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if above := f.above[workflowID]; above != nil {
		return above.DescribeWorkflowExecution(ctx, workflowID, runID)
	}
	if workflowID != f.run.GetWorkflowExecutionInfo().GetExecution().GetWorkflowId() {
		return nil, serviceerror.NewNotFound("no such run")
	}
	return f.oneRun.DescribeWorkflowExecution(ctx, workflowID, runID)
}

func (f *familyRuns) UpdateWorkflow(_ context.Context, opts client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	in, ok := opts.Args[0].(workflows.DelegateTaskInput)
	if !ok || opts.UpdateName != workflows.DelegateTask.Name || opts.UpdateID != in.Child.ID || opts.WaitForStage != client.WorkflowUpdateStageCompleted {
		return nil, fmt.Errorf("asked %+v", opts)
	}
	f.asked = append(f.asked, fmt.Sprintf("%s count only %t", opts.WorkflowID, in.CountOnly))
	if err := f.oneRun.answer; err != nil {
		return nil, err
	}
	if f.busy > 0 && !in.CountOnly {
		f.busy--
		return settled{err: refusedWith(sdk.CodeUnavailable)}, nil
	}
	if err := f.answers[opts.WorkflowID]; err != nil {
		return settled{err: err}, nil
	}
	by := in
	if f.other != nil {
		by = *f.other
	}
	return taken{by: by}, nil
}

// taken is the answer of a run that has taken a child.
type taken struct {
	client.WorkflowUpdateHandle
	by workflows.DelegateTaskInput // whose asking was taken
}

func (t taken) Get(_ context.Context, into any) error {
	if out, ok := into.(*workflows.DelegateTaskOutput); ok {
		*out = workflows.DelegateTaskOutput{RootID: "root", Depth: 2, RunID: "run-c", Digest: t.by.Digest, Nonce: t.by.Nonce}
	}
	return nil
}

func (f *familyRuns) WorkflowService() workflowservice.WorkflowServiceClient {
	return counting{f.oneRun.WorkflowService(), f}
}

type counting struct {
	workflowservice.WorkflowServiceClient
	family *familyRuns
}

func (c counting) CountWorkflowExecutions(_ context.Context, in *workflowservice.CountWorkflowExecutionsRequest, _ ...grpc.CallOption) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	c.family.query = in.GetQuery()
	return &workflowservice.CountWorkflowExecutionsResponse{Count: c.family.below}, nil
}

func refusedWith(code sdk.Code) error {
	return temporal.NewNonRetryableApplicationError(string(code)+": as the run says", string(code), nil, []sdk.Fault(nil))
}

// TestCreateChild: who is asked for a child, and what comes of the answers.
func TestCreateChild(t *testing.T) {
	t.Parallel()
	gone := serviceerror.NewNotFound("workflow execution already completed")
	cutOff := temporal.NewNonRetryableApplicationError("Workflow Update failed because the Workflow completed before the Update completed.", "AcceptedUpdateCompletedWorkflow", nil)
	const parent, root = "task:p:a", "task:p:root"
	both := []string{root + " count only true", parent + " count only false"}
	for name, tc := range map[string]struct {
		root    string
		depth   int
		ended   bool
		parent  string
		answers map[string]error
		below   int64
		busy    int
		asked   []string
		code    sdk.Code
		says    string
	}{
		"of a root":                   {asked: both[1:]},
		"of a child":                  {root: "root", depth: 1, asked: both},
		"of none":                     {parent: "b", code: sdk.CodeNotFound, says: "could be the parent"},
		"of one that has ended":       {ended: true, code: sdk.CodeConflict, says: "has ended"},
		"of one that ends meanwhile":  {answers: map[string]error{parent: gone}, asked: both[1:], code: sdk.CodeConflict, says: "has ended"},
		"too deep":                    {root: "root", depth: sdk.MaxDepth, code: sdk.CodeDelegationLimit},
		"refused by the root":         {root: "root", depth: 1, answers: map[string]error{root: refusedWith(sdk.CodeDelegationLimit)}, asked: both[:1], code: sdk.CodeDelegationLimit},
		"the parent is terminated":    {answers: map[string]error{parent: cutOff}, asked: both[1:], code: sdk.CodeConflict, says: "has ended"},
		"refused by the parent":       {answers: map[string]error{parent: refusedWith(sdk.CodeConflict)}, asked: both[1:], code: sdk.CodeConflict},
		"the root has ended":          {root: "root", depth: 1, answers: map[string]error{root: gone}, below: sdk.MaxDescendants - 1, asked: both},
		"the root ends":               {root: "root", depth: 1, answers: map[string]error{root: refusedWith(sdk.CodeConflict)}, below: 7, asked: both},
		"too many below what was one": {root: "root", depth: 1, answers: map[string]error{root: gone}, below: sdk.MaxDescendants, asked: both[:1], code: sdk.CodeDelegationLimit},
		"the parent goes on twice":    {busy: 2, asked: []string{both[1], both[1], both[1]}},
		"the parent is ever busy":     {busy: 1000, asked: slices.Repeat(both[1:], delegateTries), code: sdk.CodeUnavailable, says: "as the run says"},
		"Temporal is away":            {root: "root", depth: 1, answers: map[string]error{root: serviceerror.NewUnavailable("away")}, asked: both[:1], code: sdk.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			above := input()
			above.RootID, above.Depth = tc.root, tc.depth
			o := newOneRun(t, above)
			memo := workflows.NewTaskMemo(workflows.NewTask(above, at(0)))
			memo.Depth = tc.depth
			o.run.WorkflowExecutionInfo.Memo.Fields[workflows.MemoTask] = payload(t, memo)
			if tc.ended {
				o.run.WorkflowExecutionInfo.Status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
			}
			f := &familyRuns{oneRun: o, answers: tc.answers, below: tc.below, busy: tc.busy}
			e := newEngine(f, Config{})
			defer e.Close()
			in := input(func(r *sdk.TaskRequest) { r.ParentID = "a" })
			in.ID = "c"
			if tc.parent != "" {
				in.Request.ParentID = tc.parent
			}
			task, _, err := e.CreateTask(t.Context(), in, "")
			if d := cmp.Diff(tc.asked, f.asked); d != "" {
				t.Error(d)
			}
			if tc.code == "" {
				if err != nil || task.RootID != "root" || task.ParentID != "a" || task.ID != "c" || task.Links.Self == "" {
					t.Errorf("%+v, %v", task, err)
				}
				if again, err := e.GetTask(t.Context(), "p", "c"); err != nil || again.RootID != "root" {
					t.Errorf("read as %+v, %v", again, err)
				}
				return
			}
			refused, ok := errors.AsType[*sdk.Error](err)
			if !ok || refused.Code != tc.code || tc.says != "" && !strings.Contains(refused.Message, tc.says) {
				t.Errorf("%v, want %s saying %q", err, tc.code, tc.says)
			}
			if want := "WorkflowType = 'Task' AND RolecallProject = 'p' AND RootWorkflowId = 'task:p:root' AND WorkflowId != 'task:p:root'"; f.query != "" && f.query != want {
				t.Errorf("counted %s", f.query)
			}
		})
	}
}

// TestCreateChildBelowARootThatHasEnded: it is counted by the highest of its parents that goes on.
func TestCreateChildBelowARootThatHasEnded(t *testing.T) {
	t.Parallel()
	gone := serviceerror.NewNotFound("workflow execution already completed")
	const count, root, parent = " count only true", "task:p:root", "task:p:a"
	for name, tc := range map[string]struct {
		ended   []string         // of the tasks between: x is a child of the root, y of x, a of y
		answers map[string]error // beside the root's
		by      string           // who counts
		code    sdk.Code
	}{
		"all go on":              {by: "task:p:x"},
		"the highest has ended":  {ended: []string{"x"}, by: "task:p:y"},
		"one between has ended":  {ended: []string{"y"}, by: "task:p:x"},
		"none of them goes on":   {ended: []string{"x", "y"}},
		"it has counted enough":  {answers: map[string]error{"task:p:x": refusedWith(sdk.CodeDelegationLimit)}, by: "task:p:x", code: sdk.CodeDelegationLimit},
		"it ends meanwhile":      {answers: map[string]error{"task:p:x": gone}, by: "task:p:x"},
		"Temporal is away of it": {answers: map[string]error{"task:p:x": serviceerror.NewUnavailable("away")}, by: "task:p:x", code: sdk.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			descendant := func(id, of string, depth int) *oneRun {
				in := input(func(r *sdk.TaskRequest) { r.ParentID = of })
				in.ID, in.RootID, in.Depth = id, "root", depth
				memo := workflows.NewTaskMemo(workflows.NewTask(in, at(0)))
				memo.Depth = depth
				o := newOneRun(t, in)
				o.run.WorkflowExecutionInfo.Memo.Fields[workflows.MemoTask] = payload(t, memo)
				if slices.Contains(tc.ended, id) {
					o.run.WorkflowExecutionInfo.Status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
				}
				return o
			}
			answers := map[string]error{root: gone}
			maps.Copy(answers, tc.answers)
			f := &familyRuns{oneRun: descendant("a", "y", 3), answers: answers, above: map[string]*oneRun{
				"task:p:x": descendant("x", "root", 1), "task:p:y": descendant("y", "x", 2),
			}}
			e := newEngine(f, Config{})
			defer e.Close()
			in := input(func(r *sdk.TaskRequest) { r.ParentID = "a" })
			in.ID = "c"
			_, _, err := e.CreateTask(t.Context(), in, "")
			asked := []string{root + count}
			if tc.by != "" {
				asked = append(asked, tc.by+count)
			}
			if tc.code == "" {
				asked = append(asked, parent+" count only false")
			}
			if d := cmp.Diff(asked, f.asked); d != "" {
				t.Error(d)
			}
			if refused, ok := errors.AsType[*sdk.Error](err); (err == nil) != (tc.code == "") || ok && refused.Code != tc.code {
				t.Errorf("%v, want %q", err, tc.code)
			}
		})
	}
}

// TestCreateChildThatAnotherAskingCreated: two with one id come at once, and the run of the parent takes one.
func TestCreateChildThatAnotherAskingCreated(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		mine, other string // digests
		nonce       string
		code        sdk.Code // "" when the child is mine
	}{
		"another request of the same key":   {"d1", "d2", "another", sdk.CodeIdempotencyMismatch},
		"the same id without a key":         {"", "", "another", sdk.CodeConflict},
		"the same request":                  {"d1", "d1", "another", sdk.CodeNotFound}, // is read, and this Temporal has no such run
		"the same request, without a nonce": {"d1", "d1", "", sdk.CodeNotFound},
		"a worker that does not say whose":  {"d1", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOneRun(t, input())
			o.run.WorkflowExecutionInfo.Memo.Fields[workflows.MemoTask] = payload(t, workflows.NewTaskMemo(workflows.NewTask(input(), at(0))))
			f := &familyRuns{oneRun: o, other: &workflows.DelegateTaskInput{Digest: tc.other, Nonce: tc.nonce}}
			e := newEngine(f, Config{})
			defer e.Close()
			in := input(func(r *sdk.TaskRequest) { r.ParentID = "a" })
			in.ID = "c"
			task, replayed, err := e.CreateTask(t.Context(), in, tc.mine)
			if tc.code == "" {
				if err != nil || replayed || task.ID != "c" {
					t.Errorf("%+v, replayed %t, %v", task, replayed, err)
				}
				return
			}
			if refused, ok := errors.AsType[*sdk.Error](err); !ok || refused.Code != tc.code || replayed {
				t.Errorf("%+v, replayed %t, %v", task, replayed, err)
			}
		})
	}
}
