package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestListQuery(t *testing.T) {
	t.Parallel()
	const (
		own  = "WorkflowType = 'Task' AND RolecallProject = 'p'"
		open = "ExecutionStatus NOT IN ('Completed', 'Failed', 'Canceled', 'Terminated', 'TimedOut', 'ContinuedAsNew')"
	)
	for want, f := range map[string]sdk.TaskFilter{
		"": {Limit: 7},
		" AND RolecallRole = 'coder' AND RolecallTaskType = 'code.write'": {Role: "coder", Type: "code.write"},
		" AND " + open: {Status: "open"},
		" AND " + open + " AND RolecallStatus = 'queued'":                                    {Status: "queued"},
		" AND " + open + " AND RolecallStatus = 'running'":                                   {Status: "running"},
		" AND " + open + " AND RolecallStatus = 'input_required'":                            {Status: "input_required"},
		" AND ExecutionStatus = 'Completed'":                                                 {Status: "completed"},
		" AND ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')":                       {Status: "failed"},
		" AND ExecutionStatus = 'Canceled' AND RolecallPriority = 1":                         {Status: "cancelled", Priority: "urgent"},
		" AND RolecallPriority = 3 AND RolecallAgent = 'a1'":                                 {Priority: "normal", AgentID: "a1"},
		" AND RolecallParent = 'x' AND RolecallSession = 'y' AND RolecallPlan = 'z'":         {ParentID: "x", SessionID: "y", PlanID: "z"},
		" AND StartTime >= '2026-01-02T14:04:05.5Z'":                                         {Since: time.Date(2026, 1, 2, 15, 4, 5, 5e8, time.FixedZone("", 3600))},
		` AND RolecallRole = '\' OR RolecallProject = \'q' AND RolecallAgent = '\\\' OR \\'`: {Role: "' OR RolecallProject = 'q", AgentID: `\' OR \`}, // refused before; quoted all the same
	} {
		if got := ListQuery("p", f); got != own+want {
			t.Errorf("%+v:\n%s, want\n%s", f, got, own+want)
		}
	}
}

func TestCursor(t *testing.T) {
	t.Parallel()
	query, token := ListQuery("p", sdk.TaskFilter{Role: "coder"}), []byte("token of Temporal's")
	cursor := NewCursor(query, token)
	if got, err := ParseCursor(query, cursor); err != nil || !bytes.Equal(got, token) {
		t.Fatalf("%q %v", got, err)
	}
	if got, err := ParseCursor(query, ""); err != nil || got != nil {
		t.Errorf("the first page: %q %v", got, err)
	}
	if NewCursor(query, nil) != "" {
		t.Error("there is a cursor beyond the last page")
	}
	refused := map[string]string{
		ListQuery("p", sdk.TaskFilter{}):              cursor,
		ListQuery("q", sdk.TaskFilter{Role: "coder"}): cursor,
		query: cursor + "A", query + " ": "%%%", query + "  ": strings.Repeat("A", 5000),
	}
	for q, c := range refused {
		if _, err := ParseCursor(q, c); !errors.Is(err, sdk.ErrInvalidInput) {
			t.Errorf("%q with %q: %v", c, q, err)
		}
	}
	for i := range cursor {
		for _, letter := range []byte("A-b") {
			changed := []byte(cursor)
			changed[i] = letter
			if _, err := ParseCursor(query, string(changed)); string(changed) != cursor && !errors.Is(err, sdk.ErrInvalidInput) {
				t.Errorf("letter %d became %c: %v", i, letter, err)
			}
		}
	}
}

// visibility answers runs from a list; its page token is the index of the next.
type visibility struct {
	workflowservice.WorkflowServiceClient
	runs    []*workflowpb.WorkflowExecutionInfo
	largest int // runs of one gRPC message
	failure error
	answers int    // before the failure
	token   string // "" is the index of the next
	takes   time.Duration
	chosen  func(query string, run *workflowpb.WorkflowExecutionInfo) bool // nil is every run

	mu    sync.Mutex
	asked []int
}

func (v *visibility) ListWorkflowExecutions(ctx context.Context, in *workflowservice.ListWorkflowExecutionsRequest, _ ...grpc.CallOption) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if v.takes > 0 {
		select {
		case <-time.After(v.takes):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, int(in.GetPageSize()))
	if v.failure != nil && len(v.asked) > v.answers {
		return nil, v.failure
	}
	runs := v.runs
	if v.chosen != nil {
		runs = slices.DeleteFunc(slices.Clone(runs), func(r *workflowpb.WorkflowExecutionInfo) bool { return !v.chosen(in.GetQuery(), r) })
	}
	from, _ := strconv.Atoi(string(in.GetNextPageToken()))
	to := min(from+int(in.GetPageSize()), len(runs))
	if v.largest > 0 && to-from > v.largest {
		return nil, serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_UNSPECIFIED, "grpc: received message larger than max (5000000 vs. 4194304)")
	}
	out := &workflowservice.ListWorkflowExecutionsResponse{Executions: runs[from:to]}
	if to < len(runs) {
		out.NextPageToken = []byte(cmp.Or(v.token, strconv.Itoa(to)))
	}
	return out, nil
}

// listed is a Temporal that can only list.
type listed struct {
	*oneRun
	service *visibility
}

func (l listed) WorkflowService() workflowservice.WorkflowServiceClient { return l.service }

// manyRuns are open runs whose memos take about so many bytes.
func manyRuns(t *testing.T, n, memo int) []*workflowpb.WorkflowExecutionInfo {
	t.Helper()
	runs := make([]*workflowpb.WorkflowExecutionInfo, n)
	for i := range runs {
		in := input(func(r *sdk.TaskRequest) { r.Metadata = map[string]string{"m": strings.Repeat("x", memo)} })
		in.ID = fmt.Sprintf("t%d", i)
		runs[i] = &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{WorkflowId: workflows.TaskWorkflowID("p", in.ID), RunId: "r"},
			Status:    enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, StartTime: timestamppb.New(at(i)),
			Memo: &commonpb.Memo{Fields: map[string]*commonpb.Payload{workflows.MemoTask: payload(t, workflows.NewTaskMemo(workflows.NewTask(in, at(0))))}},
		}
	}
	return runs
}

func listEngine(t *testing.T, v *visibility) *Engine {
	t.Helper()
	e := newEngine(listed{service: v}, Config{})
	t.Cleanup(e.Close)
	return e
}

func TestListPages(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		runs, memo, largest, limit int
		pages                      int // at least
		asked                      int // of Temporal, at most
	}{
		"one page":                        {runs: 120, limit: 200, pages: 1, asked: 1},
		"small pages":                     {runs: 23, limit: 7, pages: 4, asked: 4},
		"exactly one page":                {runs: 7, limit: 7, pages: 1, asked: 1},
		"the default":                     {runs: 51, pages: 2, asked: 2},
		"none":                            {pages: 1, asked: 1},
		"memos larger than a page":        {runs: 60, memo: 200 << 10, limit: 200, pages: 4, asked: 8},
		"messages larger than gRPC takes": {runs: 60, largest: 4, limit: 50, pages: 2},
		"one memo larger than all bounds": {runs: 3, memo: pageBytes + 1, largest: 1, limit: 200, pages: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &visibility{runs: manyRuns(t, tc.runs, tc.memo), largest: tc.largest}
			e := listEngine(t, v)
			var ids []string
			pages, cursor := 0, ""
			for {
				page, err := e.ListTasks(t.Context(), "p", sdk.TaskFilter{Limit: tc.limit}, cursor)
				if err != nil {
					t.Fatal(err)
				}
				pages++
				size := 0
				for _, task := range page.Items {
					ids = append(ids, task.ID)
					size += len(task.Metadata["m"])
				}
				if limit := tc.limit; limit > 0 && len(page.Items) > limit || size > pageBytes && len(page.Items) > 1 {
					t.Fatalf("a page of %d tasks and %d bytes", len(page.Items), size)
				}
				if cursor = page.NextCursor; cursor == "" {
					break
				}
			}
			if len(ids) != tc.runs || pages < tc.pages || pages > tc.runs+1 {
				t.Errorf("%d tasks on %d pages, asked for %v", len(ids), pages, v.asked)
			}
			if tc.asked > 0 && len(v.asked) > tc.asked {
				t.Errorf("asked Temporal for %v, want %d calls", v.asked, tc.asked)
			}
			for i, id := range ids {
				if id != fmt.Sprintf("t%d", i) {
					t.Fatalf("task %d is %s", i, id)
				}
			}
		})
	}
}

// TestListAsksOnce: a page of tasks of the usual size takes one question, whatever its size.
func TestListAsksOnce(t *testing.T) {
	t.Parallel()
	v := &visibility{runs: manyRuns(t, 500, 100)}
	page, err := listEngine(t, v).ListTasks(t.Context(), "p", sdk.TaskFilter{Limit: 200}, "")
	if err != nil || len(page.Items) != 200 || !slices.Equal(v.asked, []int{200}) {
		t.Errorf("%d tasks, %v; asked for %v", len(page.Items), err, v.asked)
	}
}

func TestListFaults(t *testing.T) {
	t.Parallel()
	cursor := NewCursor(ListQuery("p", sdk.TaskFilter{}), []byte("of another Temporal"))
	for name, tc := range map[string]struct {
		cursor  string
		failure error
		want    sdk.Code
	}{
		"a token of another Temporal":  {cursor, serviceerror.NewInvalidArgument("unable to deserialize page token"), sdk.CodeInvalidInput},
		"no cursor, and still a token": {"", serviceerror.NewInvalidArgument("unexpected token in query"), sdk.CodeInternal},
		"a query it does not take":     {cursor, serviceerror.NewInvalidArgument("invalid query: no such search attribute"), sdk.CodeInternal},
		"away":                         {cursor, serviceerror.NewUnavailable("no"), sdk.CodeUnavailable},
		"busy":                         {"", serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT, "slow down"), sdk.CodeUnavailable},
	} {
		v := &visibility{failure: tc.failure}
		_, err := listEngine(t, v).ListTasks(t.Context(), "p", sdk.TaskFilter{}, tc.cursor)
		if e, ok := errors.AsType[*sdk.Error](err); !ok || e.Code != tc.want || len(v.asked) != 1 {
			t.Errorf("%s: %v, asked for %v", name, err, v.asked)
		}
	}
	long := &visibility{runs: manyRuns(t, 2, 0), token: strings.Repeat("t", maxCursor)}
	if _, err := listEngine(t, long).ListTasks(t.Context(), "p", sdk.TaskFilter{Limit: 1}, ""); !errors.Is(err, sdk.ErrInternal) {
		t.Errorf("a cursor that would be refused: %v", err)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	run := manyRuns(t, 1, 3)[0]
	run.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{
		"RolecallRole": payload(t, "debugger"), "RolecallStatus": payload(t, "input_required"), "RolecallAgent": payload(t, "ann"), "RolecallDegraded": payload(t, true),
	}}
	e := listEngine(t, &visibility{})
	s, ok := e.summary("p", run)
	if !ok || s.Role != "debugger" || s.Status != sdk.StatusInputRequired || s.AgentID != "ann" || !s.Degraded || s.Title != "t" || s.Metadata["m"] != "xxx" || s.CompletedAt != nil || s.Links.Self != "/v1/tasks/t0" {
		t.Errorf("%+v", s)
	}
	run.CloseTime = timestamppb.New(at(9))
	for status, want := range map[enumspb.WorkflowExecutionStatus]sdk.Status{
		enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED: sdk.StatusCompleted, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED: sdk.StatusFailed,
		enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED: sdk.StatusCancelled, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED: sdk.StatusFailed,
		enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: sdk.StatusFailed,
	} {
		run.Status = status
		if s, _ := e.summary("p", run); s.Status != want || s.CompletedAt == nil || !s.CompletedAt.Equal(at(9)) {
			t.Errorf("%s is %+v", status, s)
		}
	}
	if _, ok := e.summary("q", run); ok {
		t.Error("another project's task is listed")
	}
	run.Memo, run.SearchAttributes = nil, nil
	if s, ok := e.summary("p", run); !ok || s.ID != "t0" {
		t.Errorf("without a memo: %+v", s)
	}
}
