package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// heldPlan answers like a Temporal with the run of one plan in it.
type heldPlan struct {
	*oneRun
	t       testing.TB
	options *client.StartWorkflowOptions // of the last start
	created workflows.PlanInput          // of it
	taken   bool                         // a start finds the id taken
	ask     func() (sdk.Plan, error)     // nil: nobody answers
	asked   int
	listed  []*workflowpb.WorkflowExecutionInfo // two to a page
	queries []string                            // of lists
}

func planInput() workflows.PlanInput {
	return workflows.PlanInput{Project: "p", Organization: "o", ID: "a", FairnessKey: "key", CreatedAt: at(-1), Request: sdk.PlanRequest{
		Title: "Ship it", Priority: sdk.PriorityHigh, MaxParallel: 2, OnFailure: sdk.FailureStop, MaxSteps: 50,
		Steps: []sdk.PlanStep{
			{ID: "write", Type: sdk.TypeCodeWrite, Role: sdk.RoleCoder, Title: "Write it", Priority: sdk.PriorityHigh},
			{ID: "test", Type: sdk.TypeCodeTest, Role: sdk.RoleTester, Title: "Test it", Needs: []string{"write"}, Priority: sdk.PriorityHigh},
		},
	}}
}

func newHeldPlan(t testing.TB) *heldPlan {
	t.Helper()
	in := planInput()
	return &heldPlan{t: t, oneRun: &oneRun{
		run:    &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: planInfo(t, in, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING)},
		closed: make(chan struct{}), looked: make(chan struct{}, 10_000),
		first: &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
			WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: payloads(t, in)}}},
	}}
}

// planInfo is the run of a plan as Temporal tells of it.
func planInfo(t testing.TB, in workflows.PlanInput, status enumspb.WorkflowExecutionStatus) *workflowpb.WorkflowExecutionInfo {
	t.Helper()
	return &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: workflows.PlanWorkflowID(in.Project, in.ID), RunId: "run-1"},
		Type:      &commonpb.WorkflowType{Name: workflows.PlanWorkflow}, Status: status, StartTime: timestamppb.New(at(0)), CloseTime: timestamppb.New(at(60)),
		Memo: &commonpb.Memo{Fields: map[string]*commonpb.Payload{
			workflows.MemoPlan: payload(t, workflows.NewPlan(in, at(0))), workflows.MemoDigest: payload(t, "digest"),
		}},
	}
}

// shows writes the memo that a transition leaves.
func (h *heldPlan) shows(s workflows.PlanState) {
	h.t.Helper()
	h.run.WorkflowExecutionInfo.Memo.Fields[workflows.MemoPlanState] = payload(h.t, s)
}

// halfway is a plan whose first step has completed and whose second one runs, as the memo has it.
func halfway() workflows.PlanState {
	return workflows.PlanState{Status: sdk.StatusRunning, StartedAt: ptr(at(1)), Steps: []workflows.StepState{
		{Status: sdk.StepCompleted, TaskID: "a-p-1", AgentID: "ann", StartedAt: ptr(at(1)), CompletedAt: ptr(at(9))},
		{Status: sdk.StepRunning, TaskID: "a-p-2", StartedAt: ptr(at(10))},
	}}
}

// answered is a plan as its run leaves or answers it.
func answered(status sdk.Status, steps ...sdk.StepStatus) sdk.Plan {
	p := workflows.NewPlan(planInput(), at(0))
	p.Status, p.StartedAt = status, ptr(at(1))
	for i, s := range steps {
		p.Steps[i].Status = s
		if s == sdk.StepCompleted {
			p.Steps[i].Output = json.RawMessage(fmt.Sprintf(`{"by":%q}`, p.Steps[i].ID))
		}
	}
	if status.Terminal() {
		p.CompletedAt = ptr(at(59))
	}
	if status == sdk.StatusCompleted {
		p.Outputs = map[string]json.RawMessage{"code": json.RawMessage(`"x"`)}
	}
	return p
}

// inShort is a plan as tests compare it.
func inShort(p sdk.Plan) string {
	parts := []string{string(p.Status)}
	for _, s := range p.Steps {
		part := s.ID + " " + string(s.Status)
		if s.Output != nil {
			part += " with output"
		}
		parts = append(parts, part)
	}
	for name := range p.Outputs {
		parts = append(parts, "output "+name)
	}
	if p.Error != nil {
		parts = append(parts, string(p.Error.Code))
	}
	if p.Stale {
		parts = append(parts, "stale")
	}
	return strings.Join(parts, ", ")
}

func (h *heldPlan) ExecuteWorkflow(_ context.Context, opts client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	h.options, h.created = &opts, args[0].(workflows.PlanInput)
	if h.taken {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("it runs", "request", "run-1")
	}
	return startedRun{}, nil
}

func (h *heldPlan) QueryWorkflow(ctx context.Context, workflowID, _, query string, _ ...any) (converter.EncodedValue, error) {
	h.mu.Lock()
	ask := h.ask
	h.asked++
	h.mu.Unlock()
	if workflowID != "plan:p:a" || query != workflows.DescribePlan.Name {
		return nil, fmt.Errorf("asked %s of %s", query, workflowID)
	}
	if ask == nil {
		<-ctx.Done() // as without a control worker
		return nil, ctx.Err()
	}
	p, err := ask()
	return valued{p}, err
}

func (h *heldPlan) WorkflowService() workflowservice.WorkflowServiceClient {
	return planService{service: service{run: h.oneRun}, held: h}
}

type planService struct {
	service
	held *heldPlan
}

func (s planService) ListWorkflowExecutions(ctx context.Context, in *workflowservice.ListWorkflowExecutionsRequest, opts ...grpc.CallOption) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if !strings.HasPrefix(in.GetQuery(), "WorkflowType = 'Plan'") {
		return s.service.ListWorkflowExecutions(ctx, in, opts...)
	}
	s.held.queries = append(s.held.queries, in.GetQuery())
	from := 0
	if token := in.GetNextPageToken(); len(token) > 0 {
		from = int(token[0])
	}
	to := min(from+2, len(s.held.listed))
	resp := &workflowservice.ListWorkflowExecutionsResponse{Executions: s.held.listed[from:to]}
	if to < len(s.held.listed) {
		resp.NextPageToken = []byte{byte(to)}
	}
	return resp, nil
}

func newPlanEngine(t testing.TB, h *heldPlan, cfg Config) *Engine {
	t.Helper()
	e := newEngine(h, cfg)
	e.bellTimes = bellTimes{start: patience, look: patience} // a log that is slow is there
	t.Cleanup(e.Close)
	return e
}
