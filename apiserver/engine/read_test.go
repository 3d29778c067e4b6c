package engine

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	scheduled = enumspb.PENDING_ACTIVITY_STATE_SCHEDULED
	started   = enumspb.PENDING_ACTIVITY_STATE_STARTED
	paused    = enumspb.PENDING_ACTIVITY_STATE_PAUSED
)

// seen is the part of a running task that changes.
type seen struct {
	Status     sdk.Status
	Stage      int
	Attempt    int
	Max        int
	Agent      string
	Degraded   bool
	Waiting    string
	Overall    float64
	Attempts   int
	OpenSince  time.Time
	StartedAt  time.Time
	InputAsked bool
}

func look(t sdk.Task) seen {
	s := seen{Status: t.Status, Stage: t.Stage, Attempt: t.Attempt, Max: t.MaxAttempts, Agent: t.AgentID, Degraded: t.Degraded,
		Attempts: len(t.Attempts), InputAsked: t.InputRequest != nil}
	if t.WaitingFor != nil {
		s.Waiting = t.WaitingFor.Reason
	}
	if t.Progress != nil {
		s.Overall = t.Progress.Overall
	}
	if n := len(t.Attempts); n > 0 && t.Attempts[n-1].EndedAt == nil {
		s.OpenSince = t.Attempts[n-1].StartedAt
	}
	if t.StartedAt != nil {
		s.StartedAt = *t.StartedAt
	}
	return s
}

func TestRunningTask(t *testing.T) {
	t.Parallel()
	ended := sdk.Attempt{Stage: 0, Attempt: 1, StartedAt: at(1), EndedAt: ptr(at(2)), Outcome: sdk.OutcomeFailed}
	tests := []struct {
		name string
		set  func(*testing.T, *oneRun)
		want seen
	}{
		{"just created", func(*testing.T, *oneRun) {}, seen{Status: sdk.StatusQueued, Max: 3}},
		{"nobody has it", func(t *testing.T, o *oneRun) { o.setAttempt(t, 0, 1, scheduled, nil) },
			seen{Status: sdk.StatusQueued, Attempt: 1, Max: 3, Waiting: "waiting_for_agent"}},
		{"taken, no word yet", func(t *testing.T, o *oneRun) { o.setAttempt(t, 0, 1, started, nil) },
			seen{Status: sdk.StatusRunning, Attempt: 1, Max: 3, Agent: "77@host", Attempts: 1, OpenSince: at(2)}},
		{"taken, waits for a slot", func(t *testing.T, o *oneRun) {
			o.setAttempt(t, 0, 1, started, &activities.AttemptReport{AgentID: "ann"})
		}, seen{Status: sdk.StatusQueued, Attempt: 1, Max: 3, Agent: "ann", Waiting: "waiting_for_slot", Attempts: 1, OpenSince: at(2)}},
		{"runs with progress", func(t *testing.T, o *oneRun) {
			o.setAttempt(t, 0, 1, started, &activities.AttemptReport{AgentID: "ann", StartedAt: ptr(at(3)), Progress: &sdk.Progress{Percentage: 40}})
		}, seen{Status: sdk.StatusRunning, Attempt: 1, Max: 3, Agent: "ann", Attempts: 1, OpenSince: at(2), StartedAt: at(3), Overall: 40}},
		{"second attempt is behind the first", func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusQueued, Attempt: 1, MaxAttempts: 3, StartedAt: ptr(at(1)), Overall: 70, Attempts: []sdk.Attempt{ended}})
			o.setAttempt(t, 0, 2, started, &activities.AttemptReport{AgentID: "bob", StartedAt: ptr(at(5)), Progress: &sdk.Progress{Percentage: 10}})
		}, seen{Status: sdk.StatusRunning, Attempt: 2, Max: 3, Agent: "bob", Attempts: 2, OpenSince: at(2), StartedAt: at(1), Overall: 70}},
		{"the memo has the open attempt, too", func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Attempt: 2, MaxAttempts: 3, Attempts: []sdk.Attempt{ended, {Attempt: 2, StartedAt: at(4)}}})
			o.setAttempt(t, 0, 2, started, nil)
		}, seen{Status: sdk.StatusRunning, Attempt: 2, Max: 3, Agent: "77@host", Attempts: 2, OpenSince: at(2)}},
		{"fallback", func(t *testing.T, o *oneRun) { o.setAttempt(t, 1, 1, started, nil) },
			seen{Status: sdk.StatusRunning, Stage: 1, Attempt: 1, Max: 7, Agent: "77@host", Degraded: true, Attempts: 1, OpenSince: at(2)}},
		{"fallback with an attempt made good", func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Stage: 1, Attempt: 1, MaxAttempts: 8, Degraded: true})
			o.setAttempt(t, 1, 2, scheduled, nil)
		}, seen{Status: sdk.StatusQueued, Stage: 1, Attempt: 2, Max: 8, Degraded: true, Waiting: "waiting_for_agent"}},
		{"backing off", func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusQueued, Attempt: 1, MaxAttempts: 3, Attempts: []sdk.Attempt{ended}, WaitingFor: &sdk.WaitingFor{Reason: "backing_off"}})
		}, seen{Status: sdk.StatusQueued, Attempt: 1, Max: 3, Attempts: 1, Waiting: "backing_off"}},
		{"asks", func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusInputRequired, Attempt: 1, MaxAttempts: 3, InputRequest: &sdk.InputRequest{ID: "q"}, WaitingFor: &sdk.WaitingFor{Reason: "waiting_for_input"}})
		}, seen{Status: sdk.StatusInputRequired, Attempt: 1, Max: 3, Waiting: "waiting_for_input", InputAsked: true}},
		{"goes on after the answer", func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusInputRequired, Attempt: 1, MaxAttempts: 3, InputRequest: &sdk.InputRequest{ID: "q"}})
			o.setAttempt(t, 0, 2, started, nil)
		}, seen{Status: sdk.StatusRunning, Attempt: 2, Max: 3, Agent: "77@host", Attempts: 1, OpenSince: at(2)}},
		{"done, and its story is not in the log yet", func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusQueued, Attempt: 1, MaxAttempts: 3, Attempts: []sdk.Attempt{ended}, WaitingFor: &sdk.WaitingFor{Reason: "backing_off"}})
			o.run.WorkflowExecutionInfo.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{
				workflows.AttrStatus.GetName(): payload(t, sdk.StatusCompleted),
			}}
		}, seen{Status: sdk.StatusRunning, Attempt: 1, Max: 3, Attempts: 1}},
		{"paused by an operator", func(t *testing.T, o *oneRun) { o.setAttempt(t, 0, 1, paused, nil) },
			seen{Status: sdk.StatusQueued, Attempt: 1, Max: 3, Waiting: "paused"}},
		{"cancelled, its agent still runs", func(t *testing.T, o *oneRun) {
			o.run.WorkflowExtendedInfo = &workflowpb.WorkflowExecutionExtendedInfo{CancelRequested: true}
			o.setAttempt(t, 0, 1, enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED, &activities.AttemptReport{AgentID: "ann", StartedAt: ptr(at(3))})
		}, seen{Status: sdk.StatusRunning, Attempt: 1, Max: 3, Agent: "ann", Attempts: 1, OpenSince: at(2), StartedAt: at(3), Waiting: "stopping"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOneRun(t, input())
			tt.set(t, o)
			got, err := newTestEngine(t, o, Config{UIURL: "http://ui/"}).GetTask(t.Context(), "p", "a")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, look(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if string(got.Input) != `{"n":9007199254740993}` || got.Description != "d" || !got.CreatedAt.Equal(at(-1)) {
				t.Errorf("the request: %s %q %v", got.Input, got.Description, got.CreatedAt)
			}
			if want := (sdk.Links{Self: "/v1/tasks/a", UI: "http://ui/namespaces/default/workflows/task:p:a/run-1/history"}); got.Links != want {
				t.Errorf("links %+v", got.Links)
			}
		})
	}
}

func TestClosedTask(t *testing.T) {
	t.Parallel()
	record := sdk.Task{ID: "a", Title: "t", Status: sdk.StatusCompleted, CompletedAt: ptr(at(50)),
		Attempts: []sdk.Attempt{{Attempt: 1}}, Result: &sdk.Result{Status: sdk.StatusCompleted, Output: []byte(`{"n":9007199254740993}`)}}
	failure := record
	failure.Status, failure.Result = sdk.StatusFailed, &sdk.Result{Status: sdk.StatusFailed, Error: &sdk.TaskError{Code: "no_tests", Message: "m"}}
	stopped := record
	stopped.Status, stopped.CancelConfirmed, stopped.Result = sdk.StatusCancelled, ptr(true), &sdk.Result{Status: sdk.StatusCancelled, Error: &sdk.TaskError{Code: "cancelled", Message: "enough"}}
	tests := []struct {
		name   string
		status enumspb.WorkflowExecutionStatus
		event  *historypb.HistoryEvent
		want   sdk.Status
		code   sdk.Code
		ended  time.Time
	}{
		{"completed", enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, record), sdk.StatusCompleted, "", at(50)},
		{"failed", enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, failed(failureOf(temporal.NewNonRetryableApplicationError("m", "no_tests", nil, failure))), sdk.StatusFailed, "no_tests", at(50)},
		{"cancelled", enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, canceled(t, stopped), sdk.StatusCancelled, "cancelled", at(50)},
		{"cancelled without a record", enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, canceled(t), sdk.StatusCancelled, "cancelled", at(60)},
		{"terminated", enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, &historypb.HistoryEvent{}, sdk.StatusFailed, sdk.CodeTerminated, at(60)},
		{"timed out", enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, &historypb.HistoryEvent{}, sdk.StatusFailed, sdk.CodeEngineTimeout, at(60)},
		{"a bug", enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, failed(failureOf(errors.New("panic: secret"))), sdk.StatusFailed, sdk.CodeInternal, at(60)},
		{"refused input", enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, failed(failureOf(temporal.NewNonRetryableApplicationError("secret", "invalid_input", nil))), sdk.StatusFailed, sdk.CodeInvalidInput, at(60)},
		{"completed with something else", enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, &historypb.HistoryEvent{}, sdk.StatusFailed, sdk.CodeInternal, at(60)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			big := strings.Repeat("x", 5000)
			o := newOneRun(t, input(func(r *sdk.TaskRequest) { r.Description = big }))
			o.setState(t, workflows.TaskState{Status: sdk.StatusQueued, Attempts: []sdk.Attempt{{Attempt: 1, EndedAt: ptr(at(2))}}})
			o.end(tt.status, tt.event)
			e := newTestEngine(t, o, Config{})
			var got sdk.Task
			for range 5 {
				var err error
				if got, err = e.GetTask(t.Context(), "p", "a"); err != nil {
					t.Fatal(err)
				}
			}
			if got.Status != tt.want || got.Result == nil || got.Result.Status != tt.want || got.CompletedAt == nil || !got.CompletedAt.Equal(tt.ended) {
				t.Fatalf("%+v, result %+v", got, got.Result)
			}
			if tt.code == "" && (got.Result.Error != nil || string(got.Result.Output) != `{"n":9007199254740993}`) {
				t.Errorf("result %+v", got.Result)
			}
			if tt.code != "" && (got.Result.Error == nil || got.Result.Error.Code != tt.code || strings.Contains(got.Result.Error.Message, "secret")) {
				t.Errorf("error %+v, want %s", got.Result.Error, tt.code)
			}
			if got.Description != big || string(got.Input) != `{"n":9007199254740993}` || len(got.Attempts) != 1 || !got.CreatedAt.Equal(at(-1)) {
				t.Errorf("the rest: %d bytes, input %s, %d attempts", len(got.Description), got.Input, len(got.Attempts))
			}
			if describes, _, _, reads, firsts := o.counts(); describes != 1 || reads != 1 || firsts != 1 {
				t.Errorf("5 reads took %d describes, %d close events, %d first events", describes, reads, firsts)
			}
		})
	}
}

// TestBrokenTaskTookFromItsStart: as of every task that did not complete, the time it waited does not count, where it is known.
func TestBrokenTaskTookFromItsStart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		startedAt *time.Time
		want      int64
	}{{nil, 60_000}, {ptr(at(45)), 15_000}, {ptr(at(61)), 0}} {
		o := newOneRun(t, input())
		o.setState(t, workflows.TaskState{Status: sdk.StatusRunning, StartedAt: tt.startedAt})
		o.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
		got, err := newTestEngine(t, o, Config{}).GetTask(t.Context(), "p", "a")
		if err != nil || got.Result.Metrics.DurationMs != tt.want {
			t.Errorf("started %v: %+v, %v; want %d ms", tt.startedAt, got.Result, err, tt.want)
		}
	}
}

func TestRunWithoutMemo(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, input())
	o.run.WorkflowExecutionInfo.Memo = nil
	got, err := newTestEngine(t, o, Config{}).GetTask(t.Context(), "p", "a")
	if err != nil || got.Title != "t" || got.Role != sdk.RoleCoder || string(got.Input) != `{"n":9007199254740993}` {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReadersShareOneDescribe(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, input())
	e := newTestEngine(t, o, Config{DescribeTTL: time.Hour})
	done := make(chan error, 100)
	for range cap(done) {
		go func() {
			_, err := e.GetTask(t.Context(), "p", "a")
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if describes, _, _, _, _ := o.counts(); describes != 1 {
		t.Errorf("100 readers took %d describes", describes)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newCache[int](100, time.Hour)
	for i := range 50 {
		c.put(string(rune('A'+i)), i, 10, time.Now())
		c.get("A")
	}
	c.put("huge", 1, 101, time.Now())
	c.put("stale", 1, 10, time.Now().Add(-2*time.Hour))
	_, first := c.get("A")
	_, second := c.get("B")
	_, huge := c.get("huge")
	_, stale := c.get("stale")
	if !first || second || huge || stale || c.size > 100 || len(c.entries) != c.order.Len() || c.size != 10*len(c.entries) {
		t.Errorf("A %v, B %v, huge %v, stale %v; %d bytes in %d entries", first, second, huge, stale, c.size, len(c.entries))
	}
}
