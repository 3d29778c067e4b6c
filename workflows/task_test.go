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
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// script is one scripted role worker: answer n is given to the n-th attempt, whatever its stage.
type script struct {
	answers []func(sdk.Assignment) (activities.AttemptReport, error)
	given   []sdk.Assignment
	log     storyLog
}

func (s *script) execute(a sdk.Assignment) (activities.AttemptReport, error) {
	s.given = append(s.given, a)
	if len(s.given) > len(s.answers) {
		return activities.AttemptReport{}, temporal.NewNonRetryableApplicationError("the script has no more answers", "invalid_input", nil)
	}
	return s.answers[len(s.given)-1](a)
}

func completes(output string) func(sdk.Assignment) (activities.AttemptReport, error) {
	return func(sdk.Assignment) (activities.AttemptReport, error) {
		return activities.AttemptReport{AgentID: "agent-1", Result: &sdk.Result{Output: json.RawMessage(output)}}, nil
	}
}

func fails(code sdk.Code, retryable bool, report activities.AttemptReport) func(sdk.Assignment) (activities.AttemptReport, error) {
	return func(sdk.Assignment) (activities.AttemptReport, error) {
		return activities.AttemptReport{}, temporal.NewApplicationErrorWithOptions("it did not work", string(code),
			temporal.ApplicationErrorOptions{NonRetryable: !retryable, Details: []any{report}})
	}
}

func timesOut(kind enumspb.TimeoutType, beat ...any) func(sdk.Assignment) (activities.AttemptReport, error) {
	return func(sdk.Assignment) (activities.AttemptReport, error) {
		return activities.AttemptReport{}, temporal.NewTimeoutError(kind, nil, beat...)
	}
}

func asks(prompt, schema string) func(sdk.Assignment) (activities.AttemptReport, error) {
	return func(sdk.Assignment) (activities.AttemptReport, error) {
		return activities.AttemptReport{AgentID: "agent-1", InputRequired: &sdk.InputRequired{Prompt: prompt, Schema: json.RawMessage(schema)}}, nil
	}
}

// noErrors is a logger that takes no error of the workflow's own: a step outside the lifecycle fails the test.
type noErrors struct{ t *testing.T }

func (noErrors) Debug(string, ...any) {}
func (noErrors) Info(string, ...any)  {}
func (noErrors) Warn(string, ...any)  {}
func (l noErrors) Error(message string, fields ...any) {
	if message == "a step outside the lifecycle" {
		l.t.Error(message, fields)
	}
}

func newEnv(t *testing.T, s *script) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	return newEnvOf(t, s, workflows.Task)
}

// newEnvOf is newEnv with another workflow in the place of Task.
func newEnvOf(t *testing.T, s *script, task func(workflow.Context, workflows.TaskInput) (sdk.Task, error)) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(noErrors{t})
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(2 * time.Minute)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a slow machine is none
	env.SetDataConverter(workflows.DataConverter())
	env.RegisterActivityWithOptions(s.execute, activity.RegisterOptions{Name: activities.ExecuteTaskName})
	s.log.serve(env)
	env.RegisterWorkflowWithOptions(task, workflow.RegisterOptions{Name: workflows.TaskWorkflow})
	env.RegisterWorkflowWithOptions(workflows.PublishEvents, workflow.RegisterOptions{Name: workflows.PublishEventsWorkflow})
	return env
}

func request() sdk.TaskRequest {
	return sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Implement user authentication", Input: json.RawMessage(`{"repo":"shop"}`)}
}

func input(r sdk.TaskRequest) workflows.TaskInput {
	return workflows.TaskInput{Project: "default", Organization: "default", ID: "t1", Request: r}
}

// run executes a task to its end and answers its record, however it ended.
func run(t *testing.T, env *testsuite.TestWorkflowEnvironment, r sdk.TaskRequest) (sdk.Task, error) {
	t.Helper()
	return runWith(t, env, input(r))
}

// runWith is run of a whole input.
func runWith(t *testing.T, env *testsuite.TestWorkflowEnvironment, in workflows.TaskInput) (sdk.Task, error) {
	t.Helper()
	env.ExecuteWorkflow(workflows.TaskWorkflow, in)
	if !env.IsWorkflowCompleted() {
		t.Fatal("the run did not end")
	}
	var task sdk.Task
	err := env.GetWorkflowResult(&task)
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		if e := app.Details(&task); e != nil {
			t.Fatalf("a failed run without a record: %v", err)
		}
	} else if cancelled, ok := errors.AsType[*temporal.CanceledError](err); ok {
		if e := cancelled.Details(&task); e != nil {
			t.Fatalf("a cancelled run without a record: %v", err)
		}
	}
	return task, err
}

// chain is a task's attempts as "stage.attempt outcome code".
func chain(task sdk.Task) []string {
	out := []string{}
	for _, a := range task.Attempts {
		line := activities.AttemptID(a.Stage, a.Attempt) + " " + string(a.Outcome)
		if a.Error != nil {
			line += " " + string(a.Error.Code)
		}
		out = append(out, line)
	}
	return out
}

func TestTask_Ends(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	heartbeat := activities.AttemptReport{AgentID: "agent-9", StartedAt: &begun, Resume: json.RawMessage(`{"step":3}`)}
	twoStages := request()
	twoStages.Fallback = []sdk.Stage{{Model: "small"}}
	answers := func(a ...func(sdk.Assignment) (activities.AttemptReport, error)) []func(sdk.Assignment) (activities.AttemptReport, error) {
		return a
	}
	failed := fails("agent_failed", true, heartbeat)
	drained := fails("interrupted", true, heartbeat)
	for name, tc := range map[string]struct {
		request  sdk.TaskRequest
		answers  []func(sdk.Assignment) (activities.AttemptReport, error)
		status   sdk.Status
		code     sdk.Code
		degraded bool
		chain    []string
	}{
		"a success": {request(), answers(completes(`1`)), sdk.StatusCompleted, "", false, []string{"0.1 completed"}},
		"a retry": {request(), answers(failed, completes(`1`)), sdk.StatusCompleted, "", false,
			[]string{"0.1 failed agent_failed", "0.2 completed"}},
		"three failures": {request(), answers(failed, failed, failed), sdk.StatusFailed, "agent_failed", false,
			[]string{"0.1 failed agent_failed", "0.2 failed agent_failed", "0.3 failed agent_failed"}},
		"three failures and a fallback": {twoStages, answers(failed, failed, failed, completes(`1`)), sdk.StatusCompleted, "", true,
			[]string{"0.1 failed agent_failed", "0.2 failed agent_failed", "0.3 failed agent_failed", "1.1 completed"}},
		"a final failure falls back at once": {twoStages, answers(fails("no_licence", false, heartbeat), completes(`1`)), sdk.StatusCompleted, "", true,
			[]string{"0.1 failed no_licence", "1.1 completed"}},
		"a wrong task ends it": {twoStages, answers(fails("invalid_input", true, heartbeat)), sdk.StatusFailed, "invalid_input", false,
			[]string{"0.1 failed invalid_input"}},
		"a lost worker uses no attempt": {request(),
			answers(timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT, heartbeat), failed, failed, completes(`1`)), sdk.StatusCompleted, "", false,
			[]string{"0.1 lost worker_lost", "0.2 failed agent_failed", "0.3 failed agent_failed", "0.4 completed"}},
		"three drains use no attempt": {request(), answers(drained, drained, drained, failed, failed, completes(`1`)), sdk.StatusCompleted, "", false,
			[]string{"0.1 interrupted interrupted", "0.2 interrupted interrupted", "0.3 interrupted interrupted",
				"0.4 failed agent_failed", "0.5 failed agent_failed", "0.6 completed"}},
		"the sixth drain uses the stage up": {twoStages, answers(drained, drained, drained, drained, drained, drained, completes(`1`)), sdk.StatusCompleted, "", true,
			[]string{"0.1 interrupted interrupted", "0.2 interrupted interrupted", "0.3 interrupted interrupted", "0.4 interrupted interrupted",
				"0.5 interrupted interrupted", "0.6 interrupted interrupted", "1.1 completed"}},
		"nobody took it": {twoStages, answers(timesOut(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START), completes(`1`)), sdk.StatusCompleted, "", true,
			[]string{"0.1 not_taken queue_timeout", "1.1 completed"}},
		"an attempt too long": {request(), answers(timesOut(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, heartbeat), completes(`1`)), sdk.StatusCompleted, "", false,
			[]string{"0.1 timed_out attempt_timeout", "0.2 completed"}},
		"a worker without a slot": {request(), answers(timesOut(enumspb.TIMEOUT_TYPE_START_TO_CLOSE), completes(`1`)), sdk.StatusCompleted, "", false,
			[]string{"0.1 interrupted interrupted", "0.2 completed"}},
		"no answer at all": {request(), answers(func(sdk.Assignment) (activities.AttemptReport, error) { return activities.AttemptReport{}, nil }),
			sdk.StatusFailed, "invalid_output", false, []string{"0.1 failed invalid_output"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: tc.answers}
			task, _ := run(t, newEnv(t, s), tc.request)
			if task.Status != tc.status || task.Degraded != tc.degraded || task.Result.Degraded != tc.degraded || task.Result.Status != tc.status {
				t.Errorf("status %s degraded %t, want %s %t", task.Status, task.Degraded, tc.status, tc.degraded)
			}
			if tc.code != "" && task.Result.Error.Code != tc.code {
				t.Errorf("code %s, want %s", task.Result.Error.Code, tc.code)
			}
			if d := cmp.Diff(tc.chain, chain(task)); d != "" {
				t.Error(d)
			}
			for _, a := range s.given[1:] {
				if a.Attempt > 1 && tc.answers != nil && a.Attempt > a.MaxAttempts {
					t.Errorf("attempt %d of %d", a.Attempt, a.MaxAttempts)
				}
			}
		})
	}
}

func TestTask_HandsResumeDataOn(t *testing.T) {
	t.Parallel()
	s := &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){
		timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT, activities.AttemptReport{AgentID: "agent-9", Resume: json.RawMessage(`{"step":3}`)}),
		completes(`1`),
	}}
	task, err := run(t, newEnv(t, s), request())
	if err != nil {
		t.Fatal(err)
	}
	if got := string(s.given[1].Resume); got != `{"step":3}` {
		t.Errorf("resume %s", got)
	}
	if task.Attempts[0].AgentID != "agent-9" || task.Attempts[0].EndedAt == nil {
		t.Errorf("the lost attempt: %+v", task.Attempts[0])
	}
}

func TestTask_HonoursRetryAfter(t *testing.T) {
	t.Parallel()
	s := &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){
		func(sdk.Assignment) (activities.AttemptReport, error) {
			return activities.AttemptReport{}, temporal.NewApplicationErrorWithOptions("busy", "overloaded", temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
		},
		completes(`1`),
	}}
	task, err := run(t, newEnv(t, s), request())
	if err != nil {
		t.Fatal(err)
	}
	if waited := task.Attempts[1].StartedAt.Sub(*task.Attempts[0].EndedAt); waited < time.Hour || waited > time.Hour+time.Second {
		t.Errorf("waited %s", waited)
	}
}

func TestTask_EndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	r := request()
	r.Timeouts = &sdk.Timeouts{TotalMs: 2_000_000} // skipped time; what the test itself takes counts, too
	r.Retry = &sdk.Retry{MaxAttempts: 100, InitialIntervalMs: 900_000, MaxIntervalMs: 900_000, BackoffCoefficient: 1}
	failing := fails("agent_failed", true, activities.AttemptReport{})
	s := &script{answers: []func(sdk.Assignment) (activities.AttemptReport, error){failing, failing, failing, failing}}
	task, err := run(t, newEnv(t, s), r)
	if err == nil || task.Result.Error.Code != "agent_failed" {
		t.Fatalf("%v %+v", err, task.Result)
	}
	if d := cmp.Diff([]string{"0.1 failed agent_failed", "0.2 failed agent_failed", "0.3 failed agent_failed"}, chain(task)); d != "" {
		t.Error(d)
	}
}

func TestTask_RefusesAnInvalidRequest(t *testing.T) {
	t.Parallel()
	task, err := run(t, newEnv(t, &script{}), sdk.TaskRequest{Type: "x"})
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || app.Type() != "invalid_input" {
		t.Fatalf("%v", err)
	}
	if task.Status != sdk.StatusFailed || !strings.Contains(task.Result.Error.Message, "$.title") || !strings.Contains(task.Result.Error.Message, "$.role") {
		t.Errorf("the record does not say why: %+v", task.Result.Error)
	}
}
