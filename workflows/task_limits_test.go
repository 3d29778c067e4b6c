package workflows_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestTask_EndsWhenItsTimeIsUsedUp(t *testing.T) {
	t.Parallel()
	r := request()
	r.Fallback = []sdk.Stage{{}}
	for name, end := range map[string]struct {
		answer func(sdk.Assignment) (activities.AttemptReport, error)
		chain  string
	}{
		"nobody took it": {timesOut(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE), "0.1 not_taken total_timeout"},
		"it was running": {timesOut(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, activities.AttemptReport{StartedAt: &time.Time{}}), "0.1 timed_out total_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			task, _ := run(t, newEnv(t, &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){end.answer}}), r)
			if d := cmp.Diff([]string{end.chain}, chain(task)); d != "" || task.Result.Error.Code != sdk.CodeTotalTimeout {
				t.Errorf("%s %+v", d, task.Result.Error)
			}
		})
	}
}

// TestTask_CountsNothingFromTheTimeItWasCreated: the clock of who created it may be off by any amount.
func TestTask_CountsNothingFromTheTimeItWasCreated(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"behind": -90 * 24 * time.Hour, "ahead": 90 * 24 * time.Hour, "unsaid": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request()
			r.Timeouts = &sdk.Timeouts{TotalMs: 60_000}
			s := &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){fails("no_luck", false, activities.AttemptReport{})}}
			env := newEnv(t, s)
			started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			env.SetStartTime(started)
			in := input(r)
			if off != 0 {
				in.CreatedAt = started.Add(off)
			}
			env.ExecuteWorkflow(workflows.TaskWorkflow, in)
			app, ok := errors.AsType[*temporal.ApplicationError](env.GetWorkflowError())
			var task sdk.Task
			if !ok || app.Details(&task) != nil {
				t.Fatalf("ended with %v", env.GetWorkflowError())
			}
			if !task.CreatedAt.Equal(started.Add(off)) || task.Result.Metrics.DurationMs != 0 {
				t.Errorf("created at %s, took %d ms", task.CreatedAt, task.Result.Metrics.DurationMs)
			}
			if told := s.log.kept()[0].Time; !told.Equal(started.Add(min(off, 0))) {
				t.Errorf("task.created is of %s", told)
			}
			if len(s.given) != 1 || !s.given[0].Deadline.Equal(started.Add(time.Minute)) {
				t.Errorf("given %+v", s.given)
			}
		})
	}
}

// TestTask_TellsItsCreationWhateverItsTime: an event has no room for some of the times that an input has.
func TestTask_TellsItsCreationWhateverItsTime(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00+23:59"} {
		in := input(request())
		if err := in.CreatedAt.UnmarshalText([]byte(at)); err != nil {
			t.Fatal(err)
		}
		s := &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){completes(`1`)}}
		env := newEnv(t, s)
		started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		env.SetStartTime(started)
		env.ExecuteWorkflow(workflows.TaskWorkflow, in)
		kept := s.log.kept()
		if err := env.GetWorkflowError(); err != nil || len(kept) == 0 || !kept[0].Time.Equal(started) {
			t.Errorf("%s: %v, %d events", at, err, len(kept))
		}
	}
}

func TestTask_AsksNoLongerThanItsTime(t *testing.T) {
	t.Parallel()
	r := request()
	r.Timeouts = &sdk.Timeouts{TotalMs: 60_000}
	task, _ := run(t, newEnv(t, &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){asks("Well?", "")}}), r)
	if task.Result.Error.Code != sdk.CodeTotalTimeout {
		t.Errorf("%+v", task.Result.Error)
	}
}

func TestTask_TakesUnreadableAnswersForInvalidOutput(t *testing.T) {
	t.Parallel()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterActivityWithOptions(func(sdk.Assignment) (string, error) { return "done", nil }, activity.RegisterOptions{Name: activities.ExecuteTaskName})
	workflows.Register(env)
	task, _ := run(t, env, request())
	if d := cmp.Diff([]string{"0.1 failed invalid_output"}, chain(task)); d != "" {
		t.Error(d)
	}
}

func TestTask_RefusesQuestionsThatNobodyCouldAnswer(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{`{"type":7}`, `{"$ref":"#"}`, `{"$Ref":"#"}`, `{"properties":{"a":{"$REF":"#"}}}`, `{"$dynamicref":"#"}`} {
		task, _ := run(t, newEnv(t, &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){asks("Well?", schema)}}), request())
		if d := cmp.Diff([]string{"0.1 failed invalid_output"}, chain(task)); d != "" {
			t.Errorf("%s: %s", schema, d)
		}
	}
}

func TestTask_KeepsResumeDataWhenTheNextAttemptSaysNull(t *testing.T) {
	t.Parallel()
	s := &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){
		fails("agent_failed", true, activities.AttemptReport{Resume: json.RawMessage(`{"step":3}`)}),
		fails("agent_failed", true, activities.AttemptReport{Resume: json.RawMessage(`null`)}),
		completes(`1`),
	}}
	if _, err := run(t, newEnv(t, s), request()); err != nil {
		t.Fatal(err)
	}
	if got := string(s.given[2].Resume); got != `{"step":3}` {
		t.Errorf("resume %s", got)
	}
}

func TestTask_DoesNotCountWhatWasGivenBackUnbegun(t *testing.T) {
	t.Parallel()
	s := &script{}
	for range 20 {
		s.answers = append(s.answers, fails("interrupted", true, activities.AttemptReport{AgentID: "agent-1"}))
	}
	s.answers = append(s.answers, completes(`1`))
	task, err := run(t, newEnv(t, s), request())
	if err != nil || len(task.Attempts) != 21 {
		t.Fatalf("%d attempts, %v", len(task.Attempts), err)
	}
}

func TestTask_EndsBeforeItsHistoryIsFull(t *testing.T) {
	t.Parallel()
	r := request()
	r.Input = json.RawMessage(`"` + strings.Repeat("x", sdk.MaxInput-2) + `"`)
	r.Retry = &sdk.Retry{MaxAttempts: 100}
	s := &script{}
	for range 100 {
		s.answers = append(s.answers, fails("agent_failed", true, activities.AttemptReport{}))
	}
	task, _ := run(t, newEnv(t, s), r)
	if task.Result.Error.Code != sdk.CodeBudgetExceeded || len(s.given) < 50 || len(s.given) > 90 {
		t.Errorf("%d attempts, %+v", len(s.given), task.Result.Error)
	}
}

// TestCourse_RecordFitsWhateverTheChain: the longest chain that there can be, and the largest output.
func TestCourse_RecordFitsWhateverTheChain(t *testing.T) {
	t.Parallel()
	r := request()
	r.Retry = &sdk.Retry{MaxAttempts: 100, InitialIntervalMs: 100}
	r.Fallback = []sdk.Stage{{}, {}, {}, {}, {}}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := workflows.NewCourse(input(r), now)
	attempts, s := 0, c.Begin(now)
	for s.Kind != workflows.StepEnd {
		if now = now.Add(s.Delay); s.Kind == workflows.StepRest {
			s = c.Rested(now, false)
			continue
		}
		outcome := workflows.AttemptOutcome{Err: temporal.NewApplicationError(strings.Repeat("<", 512), "agent_failed")} // the chain keeps 256 bytes
		if attempts++; attempts == 600 {
			outcome = workflows.AttemptOutcome{Report: activities.AttemptReport{Result: &sdk.Result{Output: json.RawMessage(`"` + strings.Repeat("x", sdk.MaxOutput-2) + `"`)}}}
		}
		s = c.AttemptEnded(now, outcome)
	}
	c.Close(now, s)
	task := c.Record()
	size, err := workflows.EncodedSize(task)
	if err != nil || size > 2_000_000 || len(task.Attempts) != 600 || task.Status != sdk.StatusCompleted || len(task.Result.Output) != sdk.MaxOutput {
		t.Errorf("%s, %d bytes, %d attempts, %v", task.Status, size, len(task.Attempts), err)
	}
}
