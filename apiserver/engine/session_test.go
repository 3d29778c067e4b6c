package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/timestamppb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestOpenSession(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	e := newSessionEngine(t, h)
	in := workflows.SessionInput{
		Project: "p", ID: "s1", Config: sdk.SessionConfig{CostTier: sdk.TierHybrid, ClientID: "editor"}, FairnessKey: "key",
		ModelOverrides: workflows.ModelOverrides{Executor: "house"},
	}
	s, replayed, err := e.OpenSession(t.Context(), in, "digest")
	if err != nil || replayed || s.ExecutorModel != "house" || s.OrchestratorModel != "ollama" || s.Status != sdk.SessionOpen || s.Links.Self != "/v1/sessions/s1" {
		t.Errorf("%+v %t %v", s, replayed, err)
	}
	opts := h.started[0]
	if opts.ID != "session:p:s1" || opts.TaskQueue != "rolecall" || opts.WorkflowExecutionTimeout != 0 || !opts.WorkflowExecutionErrorWhenAlreadyStarted ||
		opts.WorkflowIDReusePolicy != enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE || opts.WorkflowIDConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL ||
		opts.Memo[workflows.MemoDigest] != "digest" || opts.StaticSummary != "session · hybrid · editor" {
		t.Errorf("%+v", opts)
	}
	if h.input.Config.IdleTimeoutMs != sdk.DefaultIdleTimeoutMs || h.input.Config.Retry == nil || h.input.CreatedAt.IsZero() {
		t.Errorf("%+v", h.input)
	}
	h.taken = true
	for digest, want := range map[string]error{"digest": nil, "other": sdk.ErrIdempotencyMismatch, "": sdk.ErrConflict} {
		if _, replayed, err := e.OpenSession(t.Context(), in, digest); !errors.Is(err, want) || replayed != (want == nil) {
			t.Errorf("%q again: %t %v", digest, replayed, err)
		}
	}
}

func TestGetSession(t *testing.T) {
	t.Parallel()
	closed := at(60)
	state := workflows.SessionState{Status: sdk.SessionOpen, CompletedTasks: 7, LastActivityAt: at(10)}
	record := sdk.Session{ID: "s1", Status: sdk.SessionClosed, CompletedTasks: 9, CloseReason: sdk.CloseIdle, ClosedAt: &closed, Lessons: []string{"look twice"}}
	for name, tc := range map[string]struct {
		set  func(*heldSession)
		want string
	}{
		"open": {func(h *heldSession) {
			h.ask = func(string) (any, error) {
				return sdk.Session{ID: "s1", Status: sdk.SessionOpen, CompletedTasks: 8, QueuedTasks: 2}, nil
			}
		}, "open 8 2 stale false []"},
		"open, and nobody answers": {func(h *heldSession) {
			h.run.WorkflowExecutionInfo.Memo.Fields[workflows.MemoSessionState] = payload(t, state)
			h.ask = func(string) (any, error) { return nil, serviceerror.NewUnavailable("no worker") }
			h.run.PendingChildren = []*workflowpb.PendingChildExecutionInfo{{WorkflowId: "task:p:s1-t-0123456789abcdef"}}
		}, "open 7 0 stale true [] s1-t-0123456789abcdef"},
		"closed":        {func(h *heldSession) { h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, &record) }, "closed 9 0 stale false [look twice] idle"},
		"a lost record": {func(h *heldSession) { h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, nil) }, "closed 0 0 stale false []"},
		"terminated": {func(h *heldSession) {
			h.run.WorkflowExecutionInfo.Memo.Fields[workflows.MemoSessionState] = payload(t, state)
			h.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
		}, "closed 7 0 stale false [] failed"},
		"none": {func(h *heldSession) { h.run = nil }, string(sdk.CodeNotFound)},
		"a task": {func(h *heldSession) {
			h.run.WorkflowExecutionInfo.Type.Name = workflows.TaskWorkflow
		}, string(sdk.CodeNotFound)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHeldSession(t)
			tc.set(h)
			s, err := newSessionEngine(t, h).GetSession(t.Context(), "p", "s1")
			got := fmt.Sprintf("%s %d %d stale %t %v", s.Status, s.CompletedTasks, s.QueuedTasks, s.Stale, s.Lessons)
			if more := s.CurrentTaskID + string(s.CloseReason); more != "" {
				got += " " + more
			}
			if e, ok := errors.AsType[*sdk.Error](err); ok {
				got = string(e.Code)
			}
			if got != tc.want || err == nil && (s.ID != "s1" || s.Metadata == nil || s.Links.Self == "" || (s.Status == sdk.SessionClosed) != (s.ClosedAt != nil)) {
				t.Errorf("%s, want %s: %+v", got, tc.want, s)
			}
		})
	}
}

// sendOf is a task for the session.
func sendOf(digest string) workflows.SendTaskInput {
	return workflows.SendTaskInput{
		TaskID: workflows.SessionTaskID("s1", "1"), Digest: digest, Request: sdk.SessionTaskRequest{Type: sdk.TypeExecute, Prompt: "do it"},
	}
}

// takes answers a send-task as the run does that takes it.
func takes(opts client.UpdateWorkflowOptions) (any, error) {
	in, ok := opts.Args[0].(workflows.SendTaskInput)
	if !ok || opts.UpdateName != workflows.SendTask.Name || opts.UpdateID != in.TaskID || in.Nonce == "" || in.CreatedAt.IsZero() {
		return nil, fmt.Errorf("asked %+v", opts)
	}
	return workflows.SendTaskOutput{Task: sdk.Task{ID: in.TaskID, SessionID: "s1", Status: sdk.StatusQueued, CreatedAt: in.CreatedAt}, Digest: in.Digest, Nonce: in.Nonce}, nil
}

func TestSendTask(t *testing.T) {
	t.Parallel()
	gone := serviceerror.NewNotFound("workflow execution already completed")
	for name, tc := range map[string]struct {
		digest   string
		set      func(*heldSession)
		answers  []error // of the first updates, before it is taken
		want     sdk.Code
		replayed bool
	}{
		"it is taken":                        {},
		"the session goes on meanwhile":      {answers: []error{gone, gone}},
		"it has closed":                      {answers: []error{gone}, set: func(h *heldSession) { h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, nil) }, want: sdk.CodeConflict},
		"there is none":                      {answers: []error{gone}, set: func(h *heldSession) { h.run = nil }, want: sdk.CodeNotFound},
		"it is about to close":               {answers: []error{refusedWith(sdk.CodeConflict)}, want: sdk.CodeConflict},
		"too many wait":                      {answers: []error{refusedWith(sdk.CodeRateLimited)}, want: sdk.CodeRateLimited},
		"Temporal is away":                   {answers: []error{serviceerror.NewUnavailable("away")}, want: sdk.CodeUnavailable},
		"the same is taken at the same time": {digest: "d", set: func(h *heldSession) { h.updates = other("d") }, replayed: true},
		"a run before took it, and it waits": {set: func(h *heldSession) {
			h.updates = tookBefore
			h.done[sendOf("").TaskID] = workflows.SendTaskOutput{Task: sdk.Task{ID: sendOf("").TaskID}, Nonce: "n"}
			h.input.Carried = &workflows.SessionCarried{Session: sdk.Session{Status: sdk.SessionOpen}, Queue: []workflows.SendTaskInput{sendOf("")}}
			h.input.Carried.Queue[0].CreatedAt = time.Now()
		}},
		"another is taken at the same time": {digest: "d", set: func(h *heldSession) { h.updates = other("x") }, want: sdk.CodeIdempotencyMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHeldSession(t)
			h.updates = takes
			if tc.set != nil {
				tc.set(h)
			}
			first := h.updates
			h.updates = func(opts client.UpdateWorkflowOptions) (any, error) {
				if len(tc.answers) > 0 {
					err := tc.answers[0]
					tc.answers = tc.answers[1:]
					return nil, err
				}
				return first(opts)
			}
			if _, set := h.done[sendOf("").TaskID]; !set {
				h.done[sendOf("").TaskID] = workflows.SendTaskOutput{Task: sdk.Task{ID: sendOf("").TaskID, Status: sdk.StatusQueued, CreatedAt: time.Now()}, Nonce: "n"}
			}
			task, replayed, err := newSessionEngine(t, h).SendTask(t.Context(), "p", "s1", sendOf(tc.digest))
			var code sdk.Code
			if e, ok := errors.AsType[*sdk.Error](err); ok {
				code = e.Code
			}
			if code != tc.want || replayed != tc.replayed || err == nil && (task.ID != sendOf("").TaskID || task.Links.Self == "" || task.Attempts == nil) {
				t.Errorf("%+v %t %v", task, replayed, err)
			}
		})
	}
}

// tookBefore is a run that knows this very asking from the run before.
func tookBefore(opts client.UpdateWorkflowOptions) (any, error) {
	in, _ := opts.Args[0].(workflows.SendTaskInput)
	return workflows.SendTaskOutput{Task: sdk.Task{ID: in.TaskID, SessionID: "s1"}, Nonce: in.Nonce}, nil
}

// other is a run that has taken another asking with the same id.
func other(digest string) func(client.UpdateWorkflowOptions) (any, error) {
	return func(client.UpdateWorkflowOptions) (any, error) {
		return workflows.SendTaskOutput{Digest: digest, Nonce: "another"}, nil
	}
}

func TestSendTaskThatIsTooLarge(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	in := sendOf("")
	in.Request.Context = &sdk.SessionContext{Metadata: map[string]string{"a": strings.Repeat("x", 2<<20)}}
	if _, _, err := newSessionEngine(t, h).SendTask(t.Context(), "p", "s1", in); !errors.Is(err, sdk.ErrPayloadTooLarge) {
		t.Error(err)
	}
}

func TestSendTaskThatHadItsTurn(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	in := workflows.TaskInput{Project: "p", ID: sendOf("").TaskID, SessionID: "s1", Request: sdk.TaskRequest{Type: sdk.TypeExecute, Title: "do it"}}
	o := newOneRun(t, in)
	o.run.WorkflowExecutionInfo.Memo.Fields[workflows.MemoDigest] = payload(t, "d")
	h.tasks[workflows.TaskWorkflowID("p", in.ID)] = o.run
	h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, nil)
	e := newSessionEngine(t, h)
	if task, replayed, err := e.SendTask(t.Context(), "p", "s1", sendOf("d")); err != nil || !replayed || task.SessionID != "s1" {
		t.Errorf("%+v %t %v", task, replayed, err)
	}
	if _, _, err := e.SendTask(t.Context(), "p", "s1", sendOf("x")); !errors.Is(err, sdk.ErrIdempotencyMismatch) {
		t.Error(err)
	}
}

// TestTasksThatWait: what is said of a task that its session has and that has no run.
func TestTasksThatWait(t *testing.T) {
	t.Parallel()
	id := sendOf("").TaskID
	now := func() workflows.SendTaskOutput {
		return workflows.SendTaskOutput{Task: sdk.Task{ID: id, Status: sdk.StatusQueued, SessionID: "s1", CreatedAt: time.Now()}, Nonce: "n"}
	}
	old := now()
	old.Task.CreatedAt = time.Now().Add(-48 * time.Hour)
	carried := &workflows.SessionCarried{Session: sdk.Session{Status: sdk.SessionOpen}, Queue: []workflows.SendTaskInput{sendOf("")}}
	carried.Queue[0].CreatedAt = time.Now()
	for name, tc := range map[string]struct {
		set  func(*heldSession)
		want string
	}{
		"sent to this run":   {func(h *heldSession) { h.done[id] = now() }, "queued stale false"},
		"sent to one before": {func(h *heldSession) { h.input.Carried = carried }, "queued stale false"},
		"sent to one before, and again to this one": {func(h *heldSession) {
			h.done[id], h.input.Carried = workflows.SendTaskOutput{Task: sdk.Task{ID: id}}, carried
		}, "queued stale false"},
		"never sent":                 {func(*heldSession) {}, "not_found"},
		"of no session":              {func(h *heldSession) { h.run = nil }, "not_found"},
		"of one that has closed":     {func(h *heldSession) { h.done[id] = now(); h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, nil) }, "not_found"},
		"of one that was terminated": {func(h *heldSession) { h.done[id] = now(); h.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil) }, "failed stale false"},
		"long ago, and it waits still": {func(h *heldSession) {
			h.done[id] = old
			h.ask = func(string) (any, error) { return workflows.ListQueueOutput{TaskIDs: []string{id}}, nil }
		}, "queued stale false"},
		"long ago, and it has ended": {func(h *heldSession) {
			h.done[id] = old
			h.ask = func(string) (any, error) { return workflows.ListQueueOutput{}, nil }
		}, "not_found"},
		"long ago, and nobody answers": {func(h *heldSession) {
			h.done[id] = old
			h.ask = func(string) (any, error) { return nil, serviceerror.NewUnavailable("no worker") }
		}, "queued stale true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHeldSession(t)
			tc.set(h)
			e := newSessionEngine(t, h)
			task, err := e.GetTask(t.Context(), "p", id)
			got := fmt.Sprintf("%s stale %t", task.Status, task.Stale)
			if e, ok := errors.AsType[*sdk.Error](err); ok {
				got = string(e.Code)
			}
			if got != tc.want || err == nil && (task.ID != id || task.Links.Self != "/v1/tasks/"+id || task.Attempts == nil) {
				t.Errorf("%s: %+v %v", got, task, err)
			}
			if task.Status != sdk.StatusQueued {
				return
			}
			if items, stale, err := e.ListProgress(t.Context(), "p", id); err != nil || stale || items == nil || len(items) > 0 {
				t.Errorf("progress %v %t %v", items, stale, err)
			}
			if again, accepted, err := e.CancelTask(t.Context(), "p", id, "not needed"); err != nil || !accepted || again.ID != id {
				t.Errorf("%+v %t %v", again, accepted, err)
			}
			if d := cmp.Diff([]workflows.CancelRequestedInput{{TaskID: id, Reason: "not needed"}}, h.signals); d != "" {
				t.Error(d)
			}
			if h.polls > 1 {
				t.Errorf("Temporal was asked %d times what was sent", h.polls)
			}
		})
	}
}

func TestCloseSession(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	e := newSessionEngine(t, h)
	h.updates = func(opts client.UpdateWorkflowOptions) (any, error) {
		if opts.UpdateName != workflows.CloseSession.Name || opts.UpdateID != "close" {
			return nil, fmt.Errorf("asked %+v", opts)
		}
		return workflows.CloseSessionOutput{Session: sdk.Session{ID: "s1", Status: sdk.SessionClosing}}, nil
	}
	if s, err := e.CloseSession(t.Context(), "p", "s1"); err != nil || s.Status != sdk.SessionClosing || s.Lessons == nil || s.Links.Self == "" {
		t.Errorf("%+v %v", s, err)
	}
	closed := at(60)
	h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, &sdk.Session{Status: sdk.SessionClosed, CloseReason: sdk.CloseRequested, ClosedAt: &closed})
	if s, err := e.CloseSession(t.Context(), "p", "s1"); err != nil || s.Status != sdk.SessionClosed {
		t.Errorf("the answer of the first asking: %+v %v", s, err)
	}
	h.updates = func(client.UpdateWorkflowOptions) (any, error) {
		return nil, serviceerror.NewNotFound("already completed")
	}
	if s, err := e.CloseSession(t.Context(), "p", "s1"); err != nil || s.Status != sdk.SessionClosed || s.ID != "s1" {
		t.Errorf("closed: %+v %v", s, err)
	}
	h.run = nil
	if _, err := e.CloseSession(t.Context(), "p", "s1"); !errors.Is(err, sdk.ErrNotFound) {
		t.Error(err)
	}
}

func TestSessionLists(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	e := newSessionEngine(t, h)
	for _, id := range []string{"s1", "s2", "s3"} {
		in := workflows.SessionInput{Project: "p", ID: id}
		if id != "s3" {
			in.Config.ClientID = "editor"
		}
		h.listed = append(h.listed, sessionInfo(t, in, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING))
	}
	h.listed = append(h.listed, sessionInfo(t, workflows.SessionInput{Project: "q", ID: "other"}, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING))
	page, err := e.ListSessions(t.Context(), "p", sdk.SessionFilter{}, "")
	if err != nil || len(page.Items) != 2 || page.Items[0].ID != "s1" || !page.Items[0].Stale || page.Items[0].ClientID != "editor" || page.NextCursor == "" {
		t.Fatalf("%+v %v", page, err)
	}
	if _, err := e.ListSessions(t.Context(), "p", sdk.SessionFilter{ClientID: "editor"}, page.NextCursor); !errors.Is(err, sdk.ErrInvalidInput) {
		t.Errorf("a cursor of another filter: %v", err)
	}
	if page, err = e.ListSessions(t.Context(), "p", sdk.SessionFilter{}, page.NextCursor); err != nil || len(page.Items) != 1 || page.NextCursor != "" {
		t.Errorf("%+v %v", page, err)
	}
	h.listed = h.listed[:3]
	stats, err := e.SessionStats(t.Context(), "p")
	if d := cmp.Diff(sdk.SessionStats{TotalSessions: 3, ActiveClients: 1, SessionsByClient: map[string]int{"editor": 2}}, stats); err != nil || d != "" {
		t.Error(d, err)
	}
	var closed []string
	h.updates = func(opts client.UpdateWorkflowOptions) (any, error) {
		closed = append(closed, opts.WorkflowID)
		return workflows.CloseSessionOutput{Session: sdk.Session{ID: "s1", Status: sdk.SessionClosing}}, nil
	}
	h.listed = h.listed[:1]
	if n, err := e.CloseClientSessions(t.Context(), "p", "editor"); err != nil || n != 1 || len(closed) != 1 {
		t.Errorf("closed %d, %q, %v", n, closed, err)
	}
	last := h.queries[len(h.queries)-1]
	for _, term := range []string{"WorkflowType = 'Session'", "RolecallProject = 'p'", "RolecallClient = 'editor'", "RolecallStatus = 'open'", "'ContinuedAsNew'"} {
		if !strings.Contains(last, term) {
			t.Errorf("%s is not in %s", term, last)
		}
	}
}

func TestSessionQuery(t *testing.T) {
	t.Parallel()
	const of = "WorkflowType = 'Session' AND RolecallProject = 'p' AND "
	for status, want := range map[sdk.SessionStatus]string{
		"":                 of + "ExecutionStatus != 'ContinuedAsNew'",
		sdk.SessionOpen:    of + openTerm + " AND RolecallStatus = 'open'",
		sdk.SessionClosing: of + openTerm + " AND RolecallStatus = 'closing'",
		sdk.SessionClosed:  of + "ExecutionStatus IN ('Completed', 'Failed', 'Canceled', 'Terminated', 'TimedOut')",
	} {
		if got := SessionQuery("p", sdk.SessionFilter{Status: status}); got != want {
			t.Errorf("%q: %s", status, got)
		}
	}
}

// TestATerminatedSessionsStoryIsEnded though nobody reads the session.
func TestATerminatedSessionsStoryIsEnded(t *testing.T) {
	t.Parallel()
	h, l := newHeldSession(t), openLog(t)
	of := eventlog.Story{Kind: eventlog.KindSession, ID: "s1"}
	begun := workflows.SessionEvent(h.input, 1, at(0), sdk.EventSessionStarted, sdk.SessionStarted{SessionID: "s1"})
	if err := l.AppendStory(t.Context(), "p", eventlog.StoryPart{Story: of, Events: []sdk.Event{begun}}); err != nil {
		t.Fatal(err)
	}
	h.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
	h.listed = []*workflowpb.WorkflowExecutionInfo{h.run.WorkflowExecutionInfo}
	for range 2 {
		e := newEngine(h, Config{Events: l, SweepInterval: 5 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(e.Close)
	}
	var last sdk.Event
	eventually(t, "the story's end", func() bool {
		page, err := l.Read(t.Context(), "p", eventlog.Query{Filter: eventlog.Filter{Story: &of}, Limit: 10})
		if err != nil || len(page.Records) != 2 {
			return false
		}
		last, err = page.Records[1].Event()
		return err == nil
	})
	var end sdk.SessionEnded
	if err := json.Unmarshal(last.Data, &end); err != nil || last.Type != sdk.EventSessionClosed || last.Seq != 2 || last.Session != "s1" ||
		!last.Time.Equal(at(60)) || end.Reason != sdk.CloseFailed {
		t.Errorf("%+v %+v %v", last, end, err)
	}
}

// TestTheLostEndOfASessionIsTold: where a session closed by itself, and the log has its beginning alone, a reader or the sweep brings the end
// into the log; not while its own side may, and not twice.
func TestTheLostEndOfASessionIsTold(t *testing.T) {
	t.Parallel()
	of := eventlog.Story{Kind: eventlog.KindSession, ID: "s1"}
	publisher := workflows.SessionEventsWorkflowID("p", "s1")
	for name, tc := range map[string]struct {
		closed time.Time
		rest   enumspb.WorkflowExecutionStatus // of the run that publishes what was left
		want   int
	}{
		"lost":                          {at(60), enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, 2},
		"its own side goes on":          {at(60), enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, 1},
		"its own side may not be there": {time.Now(), enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, l := newHeldSession(t), openLog(t)
			begun := workflows.SessionEvent(h.input, 1, at(0), sdk.EventSessionStarted, sdk.SessionStarted{SessionID: "s1"})
			if err := l.AppendStory(t.Context(), "p", eventlog.StoryPart{Story: of, Events: []sdk.Event{begun}}); err != nil {
				t.Fatal(err)
			}
			h.state(workflows.SessionState{Status: sdk.SessionClosed, CloseReason: sdk.CloseIdle, CompletedTasks: 4, ClosedAt: ptr(at(59))})
			h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, nil)
			h.run.WorkflowExecutionInfo.CloseTime = timestamppb.New(tc.closed)
			h.tasks[publisher] = &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
				Execution: &commonpb.WorkflowExecution{WorkflowId: publisher}, Status: tc.rest,
			}}
			e := newEngine(h, Config{Events: l, SweepInterval: time.Hour, Logger: slog.New(slog.DiscardHandler)})
			t.Cleanup(e.Close)
			c, ok := runOfPublisher(h.tasks[publisher].WorkflowExecutionInfo)
			if !ok {
				t.Fatal("the run of a publisher is not known")
			}
			for range 2 {
				if later, err := e.endStory(c); err != nil || later != (tc.want == 1) {
					t.Fatalf("later %t, %v", later, err)
				}
			}
			page, err := l.Read(t.Context(), "p", eventlog.Query{Filter: eventlog.Filter{Story: &of}, Limit: 10})
			if err != nil || len(page.Records) != tc.want {
				t.Fatalf("%d events, %v", len(page.Records), err)
			}
			if tc.want == 1 {
				return
			}
			last, err := page.Records[1].Event()
			var end sdk.SessionEnded
			if json.Unmarshal(last.Data, &end) != nil || err != nil || last.Type != sdk.EventSessionClosed || !last.Time.Equal(at(59)) ||
				end != (sdk.SessionEnded{SessionID: "s1", Reason: sdk.CloseIdle, CompletedTasks: 4}) {
				t.Errorf("%+v %+v %v", last, end, err)
			}
		})
	}
}
