package workflows_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const answerSchema = `{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}`

// provide sends an answer and puts the code of its refusal, or "" for none, into got.
func provide(t *testing.T, env *testsuite.TestWorkflowEnvironment, requestID, answer string, got map[string]sdk.Code, key string) {
	t.Helper()
	note := func(err error) {
		got[key] = ""
		if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
			got[key] = sdk.Code(app.Type())
		} else if err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	env.UpdateWorkflow(workflows.ProvideInput.Name, key, &testsuite.TestUpdateCallback{
		OnAccept:   func() {},
		OnReject:   note,
		OnComplete: func(_ any, err error) { note(err) },
	}, workflows.ProvideInputInput{RequestID: requestID, Answer: json.RawMessage(answer)})
}

func TestTask_AsksAndIsAnswered(t *testing.T) {
	t.Parallel()
	s := &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){asks("Deploy?", answerSchema), completes(`1`)}}
	env := newEnv(t, s)
	got := map[string]sdk.Code{}
	env.RegisterDelayedCallback(func() {
		var task sdk.Task
		value, err := env.QueryWorkflow(workflows.DescribeTask.Name)
		if err != nil || value.Get(&task) != nil {
			t.Errorf("query: %v", err)
		}
		if task.Status != sdk.StatusInputRequired || task.InputRequest == nil || task.InputRequest.Prompt != "Deploy?" {
			t.Errorf("%+v", task)
		}
		provide(t, env, "input-0-1", `{"ok":"yes"}`, got, "wrong by schema")
		provide(t, env, "input-0-2", `{"ok":true}`, got, "wrong question")
		provide(t, env, "input-0-1", `{"ok":true}`, got, "right")
		provide(t, env, "input-0-1", ` { "ok" : true } `, got, "the same again")
		provide(t, env, "input-0-1", `{"ok":false}`, got, "another")
	}, time.Minute)
	task, err := run(t, env, request())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]sdk.Code{"wrong by schema": "invalid_input", "wrong question": "conflict", "right": "", "the same again": "", "another": "conflict"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"0.1 input_required", "0.2 completed"}, chain(task)); d != "" {
		t.Error(d)
	}
	second := s.given[1]
	if len(second.Answers) != 1 || string(second.Answers[0].Answer) != `{"ok":true}` || second.Answers[0].Prompt != "Deploy?" {
		t.Errorf("answers: %+v", second.Answers)
	}
	if string(second.Task.Input) != `{"repo":"shop"}` {
		t.Errorf("the input changed: %s", second.Task.Input)
	}
	if second.MaxAttempts != 4 {
		t.Errorf("a question used an attempt up: %d of %d", second.Attempt, second.MaxAttempts)
	}
}

func TestTask_InputTimesOut(t *testing.T) {
	t.Parallel()
	r := request()
	r.Timeouts = &sdk.Timeouts{InputMs: 60_000}
	r.Fallback = []sdk.Stage{{}}
	s := &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){asks("Deploy?", "")}}
	task, _ := run(t, newEnv(t, s), r)
	if task.Status != sdk.StatusFailed || task.Result.Error.Code != sdk.CodeInputTimeout {
		t.Fatalf("%+v", task.Result)
	}
}

func TestTask_BoundsItsQuestions(t *testing.T) {
	t.Parallel()
	s := &script{}
	for range 30 {
		s.answers = append(s.answers, asks("And?", ""))
	}
	env := newEnv(t, s)
	got := map[string]sdk.Code{}
	var tick func()
	tick = func() {
		value, err := env.QueryWorkflow(workflows.DescribeTask.Name)
		var task sdk.Task
		if err != nil || value.Get(&task) != nil || task.Status.Terminal() {
			return
		}
		if q := task.InputRequest; q != nil {
			provide(t, env, q.ID, `1`, got, q.ID)
		}
		env.RegisterDelayedCallback(tick, time.Second)
	}
	env.RegisterDelayedCallback(tick, time.Second)
	task, _ := run(t, env, request())
	if task.Status != sdk.StatusFailed || len(task.Answers) != sdk.MaxAnswers || task.Result.Error.Code != sdk.CodeAgentFailed {
		t.Fatalf("%d answers, %+v", len(task.Answers), task.Result)
	}
}

func TestTask_CancelledWhileBackingOff(t *testing.T) {
	t.Parallel()
	s := &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){
		func(sdk.Assignment) (activities.AttemptReport, error) {
			return activities.AttemptReport{}, temporal.NewApplicationErrorWithOptions("busy", "overloaded", temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
		},
	}}
	env := newEnv(t, s)
	env.RegisterDelayedCallback(func() {
		env.SignalWorkflow(workflows.CancelRequested.Name, workflows.CancelRequestedInput{Reason: "changed my mind"})
		env.CancelWorkflow()
	}, time.Minute)
	task, err := run(t, env, request())
	if _, ok := errors.AsType[*temporal.CanceledError](err); !ok {
		t.Fatalf("%v", err)
	}
	if task.Status != sdk.StatusCancelled || task.Result.Error.Message != "changed my mind" || !*task.CancelConfirmed {
		t.Errorf("%+v %+v", task.Result, task.Result.Error)
	}
}

func TestTask_CancelledWhileAsking(t *testing.T) {
	t.Parallel()
	s := &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){asks("Deploy?", "")}}
	env := newEnv(t, s)
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	task, _ := run(t, env, request())
	if task.Status != sdk.StatusCancelled || task.InputRequest != nil {
		t.Errorf("%+v", task)
	}
}

func TestTask_KeepsProgressAndDropsWhatIsLate(t *testing.T) {
	t.Parallel()
	s := &script{}
	env := newEnv(t, s)
	progress := func(stage, attempt, n int, percentage float64) {
		env.SignalWorkflow(workflows.TaskProgressed.Name, workflows.TaskProgressedInput{Stage: stage, Attempt: attempt, N: n,
			Progress: sdk.Progress{Percentage: percentage, Message: "m", At: env.Now()}})
	}
	s.answers = []func(sdk.Assignment) (activities.AttemptReport, error){
		func(sdk.Assignment) (activities.AttemptReport, error) {
			progress(0, 1, 1, 40)
			progress(0, 1, 2, 30)
			progress(0, 1, 2, 80) // once more
			progress(0, 1, 1, 90) // out of turn
			progress(0, 7, 1, 99) // of another attempt
			progress(3, 1, 1, 99) // of another stage
			return activities.AttemptReport{AgentID: "agent-1", N: 2, InputRequired: &sdk.InputRequired{Prompt: "Go on?"}}, nil
		},
		completes(`1`),
	}
	got := map[string]sdk.Code{}
	env.RegisterDelayedCallback(func() {
		progress(0, 1, 77, 99) // after its end
		provide(t, env, "input-0-1", `1`, got, "answer")
	}, time.Minute)
	task, err := run(t, env, request())
	if err != nil {
		t.Fatal(err)
	}
	if task.Progress == nil || task.Progress.Percentage != 30 || task.Progress.Overall != 40 {
		t.Errorf("%+v", task.Progress)
	}
	value, err := env.QueryWorkflow(workflows.ListProgress.Name)
	var list workflows.ListProgressOutput
	if err != nil || value.Get(&list) != nil || len(list.Items) != 2 {
		t.Errorf("%+v %v", list, err)
	}
}

func TestTask_HoldsAStartToItsOwnClock(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]time.Time{"zero": {}, "the future": time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{}
			env := newEnv(t, s)
			s.answers = []func(sdk.Assignment) (activities.AttemptReport, error){
				func(sdk.Assignment) (activities.AttemptReport, error) {
					env.SignalWorkflow(workflows.AttemptStarted.Name, workflows.AttemptStartedInput{Attempt: 1, AgentID: "agent-1", StartedAt: at})
					return activities.AttemptReport{AgentID: "agent-1", StartedAt: &at, Result: &sdk.Result{Output: json.RawMessage(`1`)}}, nil
				},
			}
			task, err := run(t, env, request())
			if err != nil {
				t.Fatal(err)
			}
			a := task.Attempts[0]
			if a.StartedAt.Before(task.CreatedAt) || a.StartedAt.After(*a.EndedAt) || task.Result.Metrics.DurationMs < 0 || task.Result.Metrics.DurationMs > 60_000 {
				t.Errorf("started %s, ended %s, %d ms", a.StartedAt, a.EndedAt, task.Result.Metrics.DurationMs)
			}
		})
	}
}
