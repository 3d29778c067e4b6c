package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// oneLease is a Temporal that hands the attempt of a run out over and over, and keeps what it is told of it.
type oneLease struct {
	*oneRun
	t *testing.T

	mu      sync.Mutex
	task    *workflowservice.PollActivityTaskQueueResponse
	beat    workflowservice.RecordActivityTaskHeartbeatResponse // answers heartbeats
	gone    bool                                                // the attempt has ended
	lost    bool                                                // answers are taken, and the caller does not learn of it
	beats   []activities.AttemptReport
	history []*historypb.HistoryEvent // newest first
	unread  error                     // reading the history fails so
	quiet   string                    // a queue in which there is nothing
	asked   int                       // how often that was polled
	told    []any                     // by signal
}

func newOneLease(t *testing.T, change ...func(*sdk.Assignment)) *oneLease {
	t.Helper()
	in := workflows.TaskInput{Project: "shop", ID: "t1", Request: sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Write"}.Resolve()}
	a := sdk.Assignment{Task: workflows.NewTask(in, at(0)), Attempt: 1, MaxAttempts: 3}
	for _, c := range change {
		c(&a)
	}
	return &oneLease{oneRun: newOneRun(t, in), t: t, task: &workflowservice.PollActivityTaskQueueResponse{
		TaskToken: []byte("token"), ActivityId: "0.1", ActivityType: &commonpb.ActivityType{Name: activities.ExecuteTaskName},
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "task:shop:t1", RunId: "run-1"},
		Input:             payloads(t, a), HeartbeatTimeout: durationpb.New(30 * time.Second),
	}}
}

func (o *oneLease) WorkflowService() workflowservice.WorkflowServiceClient {
	return leaseService{run: o}
}

func (o *oneLease) SignalWorkflow(_ context.Context, _, _, _ string, arg any) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told = append(o.told, arg)
	return nil
}

type leaseService struct {
	workflowservice.WorkflowServiceClient
	run *oneLease
}

func (s leaseService) PollActivityTaskQueue(ctx context.Context, in *workflowservice.PollActivityTaskQueueRequest, _ ...grpc.CallOption) (*workflowservice.PollActivityTaskQueueResponse, error) {
	o := s.run
	o.mu.Lock()
	quiet := in.GetTaskQueue().GetName() == o.quiet
	if quiet {
		o.asked++
	}
	o.mu.Unlock()
	if !quiet {
		return o.task, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// again has the attempt be there anew.
func (o *oneLease) again() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gone = false
}

func (s leaseService) RecordActivityTaskHeartbeat(_ context.Context, in *workflowservice.RecordActivityTaskHeartbeatRequest, _ ...grpc.CallOption) (*workflowservice.RecordActivityTaskHeartbeatResponse, error) {
	o := s.run
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		return nil, serviceerror.NewNotFound("activity not found")
	}
	report := o.decode(in.GetDetails())
	o.beats = append(o.beats, report)
	o.setAttempt(o.t, 0, 1, enumspb.PENDING_ACTIVITY_STATE_STARTED, &report)
	return &workflowservice.RecordActivityTaskHeartbeatResponse{
		CancelRequested: o.beat.CancelRequested, ActivityPaused: o.beat.ActivityPaused, ActivityReset: o.beat.ActivityReset,
	}, nil
}

func (o *oneLease) decode(p *commonpb.Payloads) (report activities.AttemptReport) {
	if err := workflows.DataConverter().FromPayloads(p, &report); err != nil {
		o.t.Error(err)
	}
	return report
}

// answer ends the attempt with an event of its history.
func (o *oneLease) answer(event *historypb.HistoryEvent) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		return serviceerror.NewNotFound("activity not found")
	}
	o.gone, o.history = true, append([]*historypb.HistoryEvent{event}, o.history...)
	if o.lost {
		return serviceerror.NewUnavailable("the connection broke")
	}
	return nil
}

func (s leaseService) RespondActivityTaskCompleted(_ context.Context, in *workflowservice.RespondActivityTaskCompletedRequest, _ ...grpc.CallOption) (*workflowservice.RespondActivityTaskCompletedResponse, error) {
	return &workflowservice.RespondActivityTaskCompletedResponse{}, s.run.answer(&historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
		ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{Result: in.GetResult(), Identity: in.GetIdentity()}}})
}

func (s leaseService) RespondActivityTaskFailed(_ context.Context, in *workflowservice.RespondActivityTaskFailedRequest, _ ...grpc.CallOption) (*workflowservice.RespondActivityTaskFailedResponse, error) {
	return &workflowservice.RespondActivityTaskFailedResponse{}, s.run.answer(&historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{
		ActivityTaskFailedEventAttributes: &historypb.ActivityTaskFailedEventAttributes{Failure: in.GetFailure(), Identity: in.GetIdentity()}}})
}

func (s leaseService) GetWorkflowExecutionHistoryReverse(context.Context, *workflowservice.GetWorkflowExecutionHistoryReverseRequest, ...grpc.CallOption) (*workflowservice.GetWorkflowExecutionHistoryReverseResponse, error) {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	if s.run.unread != nil {
		return nil, s.run.unread
	}
	return &workflowservice.GetWorkflowExecutionHistoryReverseResponse{History: &historypb.History{Events: slices.Clone(s.run.history)}}, nil
}

// ending is the report, and the failure if it is one, with which the attempt ended.
func (o *oneLease) ending(e *Engine) (report activities.AttemptReport, how string) {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.history) == 0 {
		o.t.Fatal("the attempt has not ended")
	}
	report, ok := e.endingOf(o.history[0])
	if !ok {
		o.t.Fatal("the ending can not be read")
	}
	if f := o.history[0].GetActivityTaskFailedEventAttributes(); f != nil {
		how = f.GetFailure().GetApplicationFailureInfo().GetType()
	}
	return report, how
}

func leasing(t *testing.T, api temporalAPI, shared bool) *Engine {
	t.Helper()
	e := newEngine(api, Config{SharedLeases: shared})
	t.Cleanup(e.Close)
	return e
}

func claim(t *testing.T, e *Engine) *activities.Claimed {
	t.Helper()
	c, err := e.ClaimTask(t.Context(), activities.Claim{Project: "shop", Role: "coder", AgentID: "ada", Wait: 10 * time.Second})
	if err != nil || c == nil {
		t.Fatalf("claimed %v, %v", c, err)
	}
	return c
}

func word(percentage float64, resume string) activities.Word {
	w := activities.Word{}
	if percentage > 0 {
		w.Progress = &sdk.Progress{Percentage: percentage}
	}
	if resume != "" {
		w.Resume = json.RawMessage(resume)
	}
	return w
}

func TestLeaseFromClaimToEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneLease(t)
		e := leasing(t, o, false)
		c := claim(t, e)
		if c.Hold.TaskID != "t1" || c.Hold.AgentID != "ada" || c.Hold.Attempt != 1 || c.Hold.HeartbeatMs != 30_000 || c.Assignment.Task.Title != "Write" {
			t.Errorf("%+v", c)
		}
		if first := o.beats[0]; first.AgentID != "ada" || first.StartedAt == nil || !first.StartedAt.Equal(c.Hold.StartedAt) {
			t.Errorf("the heartbeat before the claim's answer: %+v", first)
		}
		for _, w := range []activities.Word{word(40, ""), word(0, `{"page":1}`), word(30, ""), {}} {
			if _, err := e.ReportAttempt(t.Context(), c.Hold, w); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.ReportAttempt(t.Context(), c.Hold, activities.Word{Progress: &sdk.Progress{Message: "still"}, Without: true}); err != nil {
			t.Fatal(err)
		}
		last := o.beats[len(o.beats)-1]
		if string(last.Resume) != `{"page":1}` || last.Progress.Message != "still" || last.Progress.Percentage != 30 || last.Progress.Overall != 40 || last.N != allSignals {
			t.Errorf("the last heartbeat is %+v", last)
		}
		tokens := int64(5)
		end := activities.Ending{Failure: sdk.Retryable("tests_failed", errors.New("red")), Word: activities.Word{Spent: &sdk.Metrics{TokensUsed: &tokens}}, Digest: "d1"}
		for range 2 {
			if err := e.EndAttempt(t.Context(), c.Hold, end); err != nil {
				t.Fatal(err)
			}
		}
		report, how := o.ending(e)
		if how != "tests_failed" || string(report.Resume) != `{"page":1}` || report.Progress.Percentage != 30 || *report.Spent.TokensUsed != 5 || report.N != allSignals || len(o.history) != 1 {
			t.Errorf("ended as %q: %+v", how, report)
		}
		end.Digest = "d2"
		if err := e.EndAttempt(t.Context(), c.Hold, end); !errors.Is(err, sdk.ErrLeaseLost) {
			t.Errorf("another end: %v", err)
		}
		if _, err := e.ReportAttempt(t.Context(), c.Hold, activities.Word{}); !errors.Is(err, sdk.ErrLeaseLost) {
			t.Errorf("a word after the end: %v", err)
		}
		e.Close() // what is told beside the answers has been
		started, progressed := 0, 0
		for _, arg := range o.told {
			switch in := arg.(type) {
			case workflows.AttemptStartedInput:
				started++
			case workflows.TaskProgressedInput:
				progressed++
				if in.N < 1 || in.N >= allSignals || in.Progress.Percentage != 40 {
					t.Errorf("signalled %+v", in)
				}
			}
		}
		if started != 1 || progressed != 1 {
			t.Errorf("%d starts and %d progresses were signalled", started, progressed)
		}
	})
}

// What was polled for an agent and is not handed out yet waits for one still.
func TestAttemptThatIsPolledForNobodyYet(t *testing.T) {
	t.Parallel()
	o := newOneLease(t)
	e := leasing(t, o, false)
	o.setAttempt(t, 0, 1, enumspb.PENDING_ACTIVITY_STATE_STARTED, nil)
	o.run.PendingActivities[0].LastWorkerIdentity = leaseIdentity
	if task, err := e.GetTask(t.Context(), "shop", "t1"); err != nil || task.Status != sdk.StatusQueued || task.AgentID != "" || len(task.Attempts) != 0 || task.WaitingFor == nil {
		t.Errorf("%+v, %v", task, err)
	}
}

// Another server knows what this one was told, and takes the same end for the same.
func TestLeaseOfTwoEngines(t *testing.T) {
	t.Parallel()
	o := newOneLease(t)
	one, two := leasing(t, o, true), leasing(t, o, true)
	c := claim(t, one)
	for n, w := range []activities.Word{word(10, ""), word(20, ""), word(0, `1`), word(0, `2`), word(50, "")} {
		if _, err := []*Engine{one, two}[n%2].ReportAttempt(t.Context(), c.Hold, w); err != nil {
			t.Fatal(err)
		}
	}
	if last := o.beats[len(o.beats)-1]; string(last.Resume) != `2` || last.Progress.Percentage != 50 {
		t.Errorf("the last heartbeat is %+v", last)
	}
	end := activities.Ending{Question: &sdk.InputRequired{Prompt: "Which?"}, Digest: "d1"}
	for _, e := range []*Engine{two, one, two, leasing(t, o, true)} {
		if err := e.EndAttempt(t.Context(), c.Hold, end); err != nil {
			t.Fatal(err)
		}
	}
	if report, _ := o.ending(one); report.InputRequired == nil || string(report.Resume) != `2` || report.Progress.Percentage != 50 || len(o.history) != 1 {
		t.Errorf("ended with %+v", report)
	}
	end.Digest = "d2"
	if err := leasing(t, o, true).EndAttempt(t.Context(), c.Hold, end); !errors.Is(err, sdk.ErrLeaseLost) {
		t.Errorf("another end: %v", err)
	}
}

// An end that Temporal took and nobody was told of is known when it comes again.
func TestLeaseEndOfWhichTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	o := newOneLease(t)
	e := leasing(t, o, false)
	c := claim(t, e)
	o.lost = true
	end := activities.Ending{Result: &sdk.Result{Output: json.RawMessage(`1`)}, Digest: "d1"}
	if err := e.EndAttempt(t.Context(), c.Hold, end); !errors.Is(err, sdk.ErrUnavailable) {
		t.Fatalf("the first: %v", err)
	}
	if err := e.EndAttempt(t.Context(), c.Hold, end); err != nil {
		t.Errorf("the second: %v", err)
	}
	if report, _ := o.ending(e); string(report.Result.Output) != `1` {
		t.Errorf("ended with %+v", report)
	}
}

// That the history can not be read says nothing of how the attempt ended: the agent is to ask again. A run that is gone has ended.
func TestLeaseEndThatCanNotBeLookedFor(t *testing.T) {
	t.Parallel()
	o := newOneLease(t)
	e := leasing(t, o, false)
	c := claim(t, e)
	o.gone, o.unread = true, serviceerror.NewUnavailable("away")
	end := activities.Ending{Result: &sdk.Result{Output: json.RawMessage(`1`)}, Digest: "d1"}
	if err := e.EndAttempt(t.Context(), c.Hold, end); !errors.Is(err, sdk.ErrUnavailable) {
		t.Errorf("while Temporal is away: %v", err)
	}
	o.unread = serviceerror.NewNotFound("no such run")
	if err := e.EndAttempt(t.Context(), c.Hold, end); !errors.Is(err, sdk.ErrLeaseLost) {
		t.Errorf("of a run that is gone: %v", err)
	}
}

// What an agent gives back without a word on it is given back as if it had never had it; another server takes the same end for the same.
func TestLeaseGivenBack(t *testing.T) {
	t.Parallel()
	back := activities.Ending{Failure: sdk.Retryable(sdk.CodeInterrupted, errors.New("stopping")), Digest: "d1"}
	kept := activities.AttemptReport{Resume: json.RawMessage(`{"page": 1}`), Progress: &sdk.Progress{Percentage: 5, At: at(0)}, Spent: &sdk.Metrics{DurationMs: 7}}
	for name, test := range map[string]struct {
		words []activities.Word
		with  activities.Word // in the call that gives it back
		reset bool            // an operator reset the attempt: it comes with what it had kept
		began bool
	}{
		"untouched":                {},
		"after a heartbeat":        {words: []activities.Word{{}}, began: true},
		"after a word":             {words: []activities.Word{word(0, `1`)}, began: true},
		"with a word":              {with: word(0, `1`), began: true},
		"reset, untouched":         {reset: true},
		"reset, after a word":      {words: []activities.Word{word(0, `1`)}, reset: true, began: true},
		"reset, with what it cost": {with: activities.Word{Spent: &sdk.Metrics{DurationMs: 7}}, reset: true, began: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOneLease(t, func(a *sdk.Assignment) { a.Resume = json.RawMessage(`{"page":1}`) })
			if test.reset {
				o.task.HeartbeatDetails = payloads(t, kept)
			}
			back := back
			back.Word = test.with
			e := leasing(t, o, test.reset)
			c := claim(t, e)
			for _, w := range test.words {
				if _, err := e.ReportAttempt(t.Context(), c.Hold, w); err != nil {
					t.Fatal(err)
				}
			}
			for _, e := range []*Engine{e, leasing(t, o, true)} {
				if err := e.EndAttempt(t.Context(), c.Hold, back); err != nil {
					t.Error(err)
				}
			}
			report, how := o.ending(e)
			if how != string(sdk.CodeInterrupted) || (report.StartedAt != nil) != test.began || report.AgentID != "ada" {
				t.Errorf("given back as %q with %+v", how, report)
			}
			if test.reset && len(test.words) == 0 && (string(report.Resume) != `{"page":1}` || report.Progress == nil || report.Spent == nil) {
				t.Errorf("it has lost what it had kept: %+v", report)
			}
			other := back
			other.Digest = "d2"
			if err := leasing(t, o, true).EndAttempt(t.Context(), c.Hold, other); !errors.Is(err, sdk.ErrLeaseLost) {
				t.Errorf("another end: %v", err)
			}
		})
	}
}

// A lease that lapsed is lost, though the same agent has given another attempt of the run back with the same words.
func TestLeaseGivenBackAsAnotherWas(t *testing.T) {
	t.Parallel()
	o := newOneLease(t)
	e := leasing(t, o, false)
	back := activities.Ending{Failure: sdk.Retryable(sdk.CodeInterrupted, errors.New("stopping")), Digest: "d1"}
	if err := e.EndAttempt(t.Context(), claim(t, e).Hold, back); err != nil {
		t.Fatal(err)
	}
	second := newOneLease(t, func(a *sdk.Assignment) { a.Attempt = 2 })
	second.task.ActivityId, second.task.TaskToken = "0.2", []byte("another token")
	e = leasing(t, second, false)
	c := claim(t, e)
	second.gone, second.history = true, o.history
	if err := e.EndAttempt(t.Context(), c.Hold, back); !errors.Is(err, sdk.ErrLeaseLost) {
		t.Errorf("%v", err)
	}
}

// Progress that comes too soon after the last is told with the next word that is not, whatever that says.
func TestProgressIsToldLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneLease(t)
		e := leasing(t, o, false)
		c := claim(t, e)
		c.Hold.TaskBegan = time.Now()
		synctest.Wait()
		o.told = nil // of the start
		for _, w := range []activities.Word{word(10, ""), word(20, ""), {}} {
			if _, err := e.ReportAttempt(t.Context(), c.Hold, w); err != nil {
				t.Fatal(err)
			}
		}
		if len(o.told) != 1 {
			t.Fatalf("at once: %+v", o.told)
		}
		for range 2 {
			<-time.After(2 * time.Second)
			if _, err := e.ReportAttempt(t.Context(), c.Hold, activities.Word{}); err != nil {
				t.Fatal(err)
			}
		}
		if in, ok := o.told[len(o.told)-1].(workflows.TaskProgressedInput); !ok || len(o.told) != 2 || in.Progress.Percentage != 20 {
			t.Errorf("later: %+v", o.told)
		}
	})
}

// An agent that can be addressed and waits for no time asks both queues all the same.
func TestAddressedClaimAsksBothQueues(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{0, time.Second, 1400 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			o := newOneLease(t)
			e := leasing(t, o, false)
			own := &queueOf{}
			mine := own.desk()
			if d, _ := e.leases.desks.enter(workflows.AgentQueue("shop", "coder", "ada"), "shop", 1, func() *desk { return mine }); d != mine {
				t.Fatal("there is another desk")
			}
			c, err := e.ClaimTask(t.Context(), activities.Claim{Project: "shop", Role: "coder", AgentID: "ada", Addressed: true, Wait: wait})
			if err != nil || c == nil || c.Hold.TaskID != "t1" {
				t.Errorf("a claim of %s: %+v, %v", wait, c, err)
			}
			if own.polls != 1 {
				t.Errorf("a claim of %s: %d polls of the agent's own queue", wait, own.polls)
			}
			own.work.Wait()
		})
	}
}

func TestLeaseThatLapsed(t *testing.T) {
	t.Parallel()
	o := newOneLease(t)
	e := leasing(t, o, false)
	c := claim(t, e)
	o.gone = true
	if _, err := e.ReportAttempt(t.Context(), c.Hold, word(1, "")); !errors.Is(err, sdk.ErrLeaseLost) {
		t.Errorf("a word: %v", err)
	}
	if err := e.EndAttempt(t.Context(), c.Hold, activities.Ending{Result: &sdk.Result{}, Digest: "d"}); !errors.Is(err, sdk.ErrLeaseLost) {
		t.Errorf("an end: %v", err)
	}
}

// The agent learns of a cancellation with its reason; an attempt that an operator takes back is given back with what it kept.
func TestLeaseThatIsToStop(t *testing.T) {
	t.Parallel()
	o := newOneLease(t)
	e := leasing(t, o, false)
	c := claim(t, e)
	o.beat.CancelRequested = true
	o.history = []*historypb.HistoryEvent{{Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
		WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{
			SignalName: workflows.CancelRequested.Name, Input: payloads(t, workflows.CancelRequestedInput{Reason: "too dear"})}}}}
	status, err := e.ReportAttempt(t.Context(), c.Hold, word(0, `3`))
	if err != nil || !status.CancelRequested || status.Reason != "too dear" {
		t.Errorf("%+v, %v", status, err)
	}
	o.beat.CancelRequested, o.beat.ActivityPaused = false, true
	if _, err := e.ReportAttempt(t.Context(), c.Hold, word(50, "")); !errors.Is(err, sdk.ErrLeaseLost) {
		t.Errorf("paused: %v", err)
	}
	if report, how := o.ending(e); how != string(sdk.CodeInterrupted) || string(report.Resume) != `3` || report.StartedAt == nil {
		t.Errorf("given back as %q with %+v", how, report)
	}
}

// What is no attempt of the project's task is refused for good, and what is cancelled before anybody began is given back.
func TestClaimOfWhatIsNone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*oneLease)
		how    sdk.Code
	}{
		"another activity": {func(o *oneLease) { o.task.ActivityType.Name = "Other" }, sdk.CodeInvalidInput},
		"another project":  {func(o *oneLease) { o.task.WorkflowExecution.WorkflowId = "task:bank:t1" }, sdk.CodeInvalidInput},
		"another attempt":  {func(o *oneLease) { o.task.ActivityId = "0.2" }, sdk.CodeInvalidInput},
		"no assignment":    {func(o *oneLease) { o.task.Input = payloads(o.t, 7) }, sdk.CodeInvalidInput},
		"cancelled":        {func(o *oneLease) { o.beat.CancelRequested = true }, sdk.CodeInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOneLease(t)
			test.change(o)
			e := leasing(t, o, false)
			claimed, err := e.handOut(t.Context(), activities.Claim{Project: "shop", Role: "coder", AgentID: "ada"}, o.task)
			if claimed != nil || err != nil {
				t.Fatalf("%+v, %v", claimed, err)
			}
			report, how := o.ending(e)
			if how != string(test.how) || report.StartedAt != nil {
				t.Errorf("ended as %q with %+v, want %s", how, report, test.how)
			}
			if strings.Contains(o.history[0].String(), "Write") {
				t.Error("the refusal quotes the assignment")
			}
		})
	}
}
