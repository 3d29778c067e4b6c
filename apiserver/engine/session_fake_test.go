package engine

import (
	"context"
	"fmt"
	"sync"
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
	updatepb "go.temporal.io/api/update/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// heldSession answers like a Temporal with the run of one session in it, and no run of a task unless one is put there.
type heldSession struct {
	temporalAPI // what is not answered here is not asked

	mu      sync.Mutex
	t       testing.TB
	run     *workflowservice.DescribeWorkflowExecutionResponse // nil: not found
	tasks   map[string]*workflowservice.DescribeWorkflowExecutionResponse
	close   *historypb.HistoryEvent
	input   workflows.SessionInput    // of the run's first event
	later   []*historypb.HistoryEvent // of the run, one page each
	started []client.StartWorkflowOptions
	taken   bool                                            // a start finds the id taken
	updates func(client.UpdateWorkflowOptions) (any, error) // what an update comes to
	done    map[string]workflows.SendTaskOutput             // updates of this run, by id
	ask     func(query string) (any, error)                 // nil: nobody answers
	listed  []*workflowpb.WorkflowExecutionInfo             // by one page each
	queries []string                                        // of lists
	signals []workflows.CancelRequestedInput
	polls   int
}

func newHeldSession(t testing.TB) *heldSession {
	t.Helper()
	in := workflows.SessionInput{Project: "p", ID: "s1", Config: sdk.SessionConfig{ClientID: "editor"}}
	h := &heldSession{t: t, input: in, tasks: map[string]*workflowservice.DescribeWorkflowExecutionResponse{}, done: map[string]workflows.SendTaskOutput{}}
	h.run = &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: sessionInfo(t, in, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING)}
	return h
}

// sessionInfo is the run of a session as Temporal tells of it.
func sessionInfo(t testing.TB, in workflows.SessionInput, status enumspb.WorkflowExecutionStatus) *workflowpb.WorkflowExecutionInfo {
	t.Helper()
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: workflows.SessionWorkflowID(in.Project, in.ID), RunId: "run-1"},
		Type:      &commonpb.WorkflowType{Name: workflows.SessionWorkflow}, Status: status, StartTime: timestamppb.New(at(0)), CloseTime: timestamppb.New(at(60)),
		Memo: &commonpb.Memo{Fields: map[string]*commonpb.Payload{
			workflows.MemoSession: payload(t, workflows.NewSession(in, at(0))), workflows.MemoDigest: payload(t, "digest"),
		}},
		SearchAttributes: &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{}},
	}
	if client := in.Config.ClientID; client != "" {
		info.SearchAttributes.IndexedFields[workflows.AttrClient.GetName()] = payload(t, client)
	}
	return info
}

// end ends the session's run. record may be nil.
func (h *heldSession) end(status enumspb.WorkflowExecutionStatus, record *sdk.Session) {
	h.run.WorkflowExecutionInfo.Status = status
	if record != nil {
		h.close = &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: payloads(h.t, *record)}}}
	}
}

func (h *heldSession) DescribeWorkflowExecution(_ context.Context, workflowID, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.run != nil && workflowID == h.run.WorkflowExecutionInfo.Execution.WorkflowId {
		return h.run, nil
	}
	if task, ok := h.tasks[workflowID]; ok {
		return task, nil
	}
	return nil, serviceerror.NewNotFound("no such run")
}

func (h *heldSession) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return &closeEvents{event: h.close}
}

func (h *heldSession) ExecuteWorkflow(_ context.Context, opts client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	h.started = append(h.started, opts)
	h.input, _ = args[0].(workflows.SessionInput)
	if h.taken {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("it runs", "request", "run-1")
	}
	return startedRun{}, nil
}

func (h *heldSession) UpdateWorkflow(_ context.Context, opts client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if opts.WorkflowID != "session:p:s1" || opts.RunID != "" || opts.UpdateID == "" || opts.WaitForStage != client.WorkflowUpdateStageCompleted {
		return nil, fmt.Errorf("asked %+v", opts)
	}
	out, err := h.updates(opts)
	return carriedOut{out: out, err: err}, nil
}

// carriedOut is the outcome of an update.
type carriedOut struct {
	client.WorkflowUpdateHandle
	out any
	err error
}

func (c carriedOut) Get(_ context.Context, into any) error {
	if c.err != nil {
		return c.err
	}
	return carry(c.out, into)
}

// carry takes a value to another one as Temporal does.
func carry(value, into any) error {
	p, err := workflows.DataConverter().ToPayload(value)
	if err != nil {
		return err
	}
	return workflows.DataConverter().FromPayload(p, into)
}

func (h *heldSession) QueryWorkflow(ctx context.Context, _, _, query string, _ ...any) (converter.EncodedValue, error) {
	if h.ask == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	value, err := h.ask(query)
	return valued{value}, err
}

type valued struct{ value any }

func (s valued) HasValue() bool     { return true }
func (s valued) Get(into any) error { return carry(s.value, into) }

func (h *heldSession) SignalWorkflow(_ context.Context, workflowID, _, name string, arg any) error {
	in, ok := arg.(workflows.CancelRequestedInput)
	if !ok || name != workflows.CancelRequested.Name || workflowID != "session:p:s1" {
		return fmt.Errorf("signalled %s of %s", name, workflowID)
	}
	h.signals = append(h.signals, in)
	return nil
}

func (h *heldSession) WorkflowService() workflowservice.WorkflowServiceClient {
	return sessionService{held: h}
}

type sessionService struct {
	workflowservice.WorkflowServiceClient
	held *heldSession
}

func (s sessionService) PollWorkflowExecutionUpdate(_ context.Context, in *workflowservice.PollWorkflowExecutionUpdateRequest, _ ...grpc.CallOption) (*workflowservice.PollWorkflowExecutionUpdateResponse, error) {
	s.held.polls++
	out, ok := s.held.done[in.GetUpdateRef().GetUpdateId()]
	if !ok || in.GetUpdateRef().GetWorkflowExecution().GetRunId() != "run-1" {
		return nil, serviceerror.NewNotFound("no such update")
	}
	return &workflowservice.PollWorkflowExecutionUpdateResponse{Outcome: &updatepb.Outcome{Value: &updatepb.Outcome_Success{Success: payloads(s.held.t, out)}}}, nil
}

func (s sessionService) GetWorkflowExecutionHistory(_ context.Context, in *workflowservice.GetWorkflowExecutionHistoryRequest, _ ...grpc.CallOption) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	if token := in.GetNextPageToken(); len(token) > 0 {
		n := int(token[0])
		resp := &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{Events: s.held.later[n-1 : n]}}
		if n < len(s.held.later) {
			resp.NextPageToken = []byte{byte(n + 1)}
		}
		return resp, nil
	}
	first := &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: payloads(s.held.t, s.held.input)}}}
	resp := &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{Events: []*historypb.HistoryEvent{first}}}
	if len(s.held.later) > 0 {
		resp.NextPageToken = []byte{1}
	}
	return resp, nil
}

func (s sessionService) ListWorkflowExecutions(_ context.Context, in *workflowservice.ListWorkflowExecutionsRequest, _ ...grpc.CallOption) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	s.held.mu.Lock()
	defer s.held.mu.Unlock()
	s.held.queries = append(s.held.queries, in.GetQuery())
	from := 0
	if token := in.GetNextPageToken(); len(token) > 0 {
		from = int(token[0])
	}
	to := min(from+int(in.GetPageSize()), from+2, len(s.held.listed)) // Temporal may answer less than it is asked for
	resp := &workflowservice.ListWorkflowExecutionsResponse{Executions: s.held.listed[from:to]}
	if to < len(s.held.listed) {
		resp.NextPageToken = []byte{byte(to)}
	}
	return resp, nil
}

func newSessionEngine(t *testing.T, h *heldSession) *Engine {
	t.Helper()
	e := newEngine(h, Config{})
	t.Cleanup(e.Close)
	return e
}
