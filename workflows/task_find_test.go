package workflows_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// finder is a scripted look-up: look n is answered with the n-th agent, and "" with the end of its time.
type finder struct {
	agents  []string
	asked   []activities.FindAgentInput
	another func(activities.FindAgentInput) string // answers a look beside an ask; nil is that it finds nobody
}

func (f *finder) find(in activities.FindAgentInput) (activities.FindAgentOutput, error) {
	if in.Asked != "" {
		if f.another != nil {
			return activities.FindAgentOutput{AgentID: f.another(in)}, nil
		}
		return activities.FindAgentOutput{}, timeoutOf(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)
	}
	f.asked = append(f.asked, in)
	if n := len(f.asked); n <= len(f.agents) && f.agents[n-1] != "" {
		return activities.FindAgentOutput{AgentID: f.agents[n-1]}, nil
	}
	return activities.FindAgentOutput{}, timeoutOf(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)
}

func timeoutOf(kind enumspb.TimeoutType) error {
	_, err := timesOut(kind)(sdk.Assignment{})
	return err
}

func findingEnv(t *testing.T, s *script, f *finder) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	env := newEnv(t, s)
	env.RegisterActivityWithOptions(f.find, activity.RegisterOptions{Name: activities.FindAgentName})
	return env
}

func able(with ...func(*sdk.TaskRequest)) sdk.TaskRequest {
	r := request()
	r.Capabilities = []string{"go", "sql"}
	for _, change := range with {
		change(&r)
	}
	return r
}

// askedAgents notes the queue of each attempt that a workflow asks for, and how long it may wait there.
type askedAgents struct {
	interceptor.WorkerInterceptorBase
	asked []string
}

func (a *askedAgents) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &askedInbound{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, seen: a}
}

type askedInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	seen *askedAgents
}

func (i *askedInbound) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&askedOutbound{WorkflowOutboundInterceptorBase: interceptor.WorkflowOutboundInterceptorBase{Next: outbound}, seen: i.seen})
}

type askedOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	seen *askedAgents
}

func (o *askedOutbound) ExecuteActivity(ctx workflow.Context, name string, in ...any) workflow.Future {
	if name == activities.ExecuteTaskName {
		opts := workflow.GetActivityOptions(ctx)
		o.seen.asked = append(o.seen.asked, opts.TaskQueue+" "+opts.ScheduleToStartTimeout.String())
	}
	return o.Next.ExecuteActivity(ctx, name, in...)
}

// TestTask_FindsAnAgent: who is asked, how long each has, and how the task ends.
func TestTask_FindsAnAgent(t *testing.T) {
	t.Parallel()
	late := timesOut(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START)
	for name, tc := range map[string]struct {
		request sdk.TaskRequest
		agents  []string
		answers []answer
		asked   []string // queue and how long it may wait there
		passed  [][]string
		chain   []string
		code    sdk.Code
	}{
		"it takes the task": {able(), []string{"ada"}, []answer{completes(`1`)}, []string{"default.coder.ada 30s"}, [][]string{nil}, []string{"0.1 completed"}, ""},
		"another one does, which uses no attempt": {able(func(r *sdk.TaskRequest) { r.Retry = &sdk.Retry{MaxAttempts: 1} }), []string{"ada", "bob"}, []answer{late, completes(`1`)},
			[]string{"default.coder.ada 30s", "default.coder.bob 30s"}, [][]string{nil, {"ada"}}, []string{"0.1 completed"}, ""},
		"the only one is asked again, for longer": {able(), []string{"ada", "ada", "ada"}, []answer{late, late, completes(`1`)},
			[]string{"default.coder.ada 30s", "default.coder.ada 1m0s", "default.coder.ada 2m0s"}, [][]string{nil, {"ada"}, {"ada"}}, []string{"0.1 completed"}, ""},
		"nobody has them": {able(), []string{""}, nil, nil, [][]string{nil}, []string{"0.1 not_taken no_agent"}, sdk.CodeNoAgent},
		"nobody has them, and another stage follows": {able(func(r *sdk.TaskRequest) { r.Fallback = []sdk.Stage{{Role: sdk.RoleTester}} }), []string{"", "eve"}, []answer{completes(`1`)},
			[]string{"default.tester.eve 30s"}, [][]string{nil, nil}, []string{"0.1 not_taken no_agent", "1.1 completed"}, ""},
		"the addressed one": {able(func(r *sdk.TaskRequest) { r.AgentID = "ada" }), []string{"ada"}, []answer{completes(`1`)},
			[]string{"default.coder.ada 30s"}, [][]string{nil}, []string{"0.1 completed"}, ""},
		"a failed attempt is one": {able(), []string{"ada", "bob"}, []answer{fails("no_luck", true, activities.AttemptReport{}), completes(`1`)},
			[]string{"default.coder.ada 30s", "default.coder.bob 30s"}, [][]string{nil, nil}, []string{"0.1 failed no_luck", "0.2 completed"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, f := &script{answers: tc.answers}, &finder{agents: tc.agents}
			env, seen := findingEnv(t, s, f), &askedAgents{}
			env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute, Interceptors: []interceptor.WorkerInterceptor{seen}})
			task, _ := run(t, env, tc.request)
			if d := cmp.Diff(tc.chain, chain(task)); d != "" {
				t.Error(d)
			}
			if tc.code != "" && task.Result.Error.Code != tc.code {
				t.Errorf("it failed with %s", task.Result.Error.Code)
			}
			if d := cmp.Diff(tc.asked, seen.asked); d != "" {
				t.Error(d)
			}
			var passed [][]string
			for _, in := range f.asked {
				passed = append(passed, in.Passed)
				if !slices.Equal(in.Capabilities, []string{"go", "sql"}) || in.Project != "default" || in.AgentID != tc.request.AgentID {
					t.Errorf("looked for %+v", in)
				}
			}
			if d := cmp.Diff(tc.passed, passed); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestTask_LeavesRoomForItsFallback: an attempt that nobody takes is asked for a bounded number of times, the last time with all the time
// that is left, and the next stage is tried after it.
func TestTask_LeavesRoomForItsFallback(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		failed      int // attempts before the one that nobody takes
		least, most int // asks
	}{
		"the first attempt":        {0, 64, 64},
		"with a history of others": {30, 60, 80},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			take := func(a sdk.Assignment) (activities.AttemptReport, error) {
				if a.Task.Role == sdk.RoleTester {
					return completes(`1`)(a)
				}
				if a.Attempt <= tc.failed {
					return fails("no_luck", true, activities.AttemptReport{})(a)
				}
				return timesOut(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START)(a)
			}
			s, seen := &script{answers: slices.Repeat([]answer{take}, 100)}, &askedAgents{}
			env := newEnv(t, s)
			env.RegisterActivityWithOptions(func(in activities.FindAgentInput) (activities.FindAgentOutput, error) {
				if in.Asked != "" {
					return activities.FindAgentOutput{}, timeoutOf(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)
				}
				return activities.FindAgentOutput{AgentID: "the-" + string(in.Role)}, nil
			}, activity.RegisterOptions{Name: activities.FindAgentName})
			env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute, Interceptors: []interceptor.WorkerInterceptor{seen}})
			task, err := run(t, env, able(func(r *sdk.TaskRequest) {
				r.Input = []byte(`"` + strings.Repeat("x", sdk.MaxInput-2) + `"`)
				r.Retry = &sdk.Retry{MaxAttempts: 100}
				r.Fallback = []sdk.Stage{{Role: sdk.RoleTester}}
			}))
			attempts := chain(task)
			want := []string{fmt.Sprintf("0.%d not_taken queue_timeout", tc.failed+1), "1.1 completed"}
			if d := cmp.Diff(want, attempts[min(tc.failed, len(attempts)):]); d != "" || err != nil {
				t.Fatal(err, d)
			}
			asks := len(seen.asked) - 1
			if asks < tc.least || asks > tc.most {
				t.Fatalf("asked %d times, want %d to %d", asks, tc.least, tc.most)
			}
			_, last, _ := strings.Cut(seen.asked[asks-1], " ")
			if d, err := time.ParseDuration(last); err != nil || d < 100*time.Hour {
				t.Errorf("who was asked last had %s, %v", last, err)
			}
			_, before, _ := strings.Cut(seen.asked[asks-2], " ")
			if before != time.Hour.String() {
				t.Errorf("who was asked before had %s", before)
			}
		})
	}
}

// TestTask_LeavesASilentAgentForAnother: who is asked again is asked only until somebody else is there, and that uses no attempt.
func TestTask_LeavesASilentAgentForAnother(t *testing.T) {
	t.Parallel()
	late, looked, asking, over := timesOut(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START), make(chan struct{}), make(chan struct{}), make(chan struct{})
	again := func(a sdk.Assignment) (activities.AttemptReport, error) {
		<-looked
		return late(a)
	}
	silent := func(sdk.Assignment) (activities.AttemptReport, error) { // does not take it for as long as it is asked
		close(asking)
		<-over
		return activities.AttemptReport{}, errors.New("nobody hears this")
	}
	t.Cleanup(func() { close(over) }) // by then the environment takes no answer for that of the next activity, which has the same id
	var looks []activities.FindAgentInput
	s, f := &script{answers: []answer{late, late, again, silent, completes(`1`)}}, &finder{agents: []string{"ada", "bob", "ada", "bob"}}
	f.another = func(in activities.FindAgentInput) string {
		if looks = append(looks, in); in.Asked == "ada" {
			close(looked)
			return "ada" // no registry answers that
		}
		<-asking
		return "eve"
	}
	env, seen := findingEnv(t, s, f), &askedAgents{}
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute, Interceptors: []interceptor.WorkerInterceptor{seen}})
	task, err := run(t, env, able(func(r *sdk.TaskRequest) { r.Retry = &sdk.Retry{MaxAttempts: 1} }))
	if d := cmp.Diff([]string{"0.1 completed"}, chain(task)); d != "" || err != nil {
		t.Error(err, d)
	}
	want := []string{"default.coder.ada 30s", "default.coder.bob 30s", "default.coder.ada 1m0s", "default.coder.bob 1m0s", "default.coder.eve 30s"}
	if d := cmp.Diff(want, seen.asked); d != "" {
		t.Error(d)
	}
	if len(looks) != 2 || looks[1].Asked != "bob" || !slices.Equal(looks[1].Passed, []string{"ada", "bob"}) {
		t.Errorf("looked beside it for %+v", looks)
	}
}

// TestTask_StaysWithAnAgentThatHasBegun: whoever is found once that is known is not asked.
func TestTask_StaysWithAnAgentThatHasBegun(t *testing.T) {
	t.Parallel()
	late, looks, begun, found := timesOut(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START), make(chan struct{}), make(chan struct{}), make(chan struct{})
	s, f := &script{}, &finder{agents: []string{"ada", "ada"}}
	env, seen := findingEnv(t, s, f), &askedAgents{}
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute, Interceptors: []interceptor.WorkerInterceptor{seen}})
	s.answers = []answer{late, func(a sdk.Assignment) (activities.AttemptReport, error) {
		<-looks
		env.SignalWorkflow(workflows.AttemptStarted.Name, workflows.AttemptStartedInput{Attempt: 1, AgentID: "ada", StartedAt: time.Now()})
		close(begun)
		<-found
		return completes(`1`)(a)
	}}
	f.another = func(activities.FindAgentInput) string {
		close(looks)
		<-begun
		close(found)
		return "bob"
	}
	task, err := run(t, env, able())
	if d := cmp.Diff([]string{"0.1 completed"}, chain(task)); d != "" || err != nil {
		t.Error(err, d)
	}
	if d := cmp.Diff([]string{"default.coder.ada 30s", "default.coder.ada 1m0s"}, seen.asked); d != "" {
		t.Error(d)
	}
}

func TestTask_CancelledWhileItLooksForAnAgent(t *testing.T) {
	t.Parallel()
	s := &script{}
	env := newEnv(t, s)
	env.RegisterActivityWithOptions(func(activities.FindAgentInput) (activities.FindAgentOutput, error) {
		env.CancelWorkflow()
		return activities.FindAgentOutput{AgentID: "ada"}, nil
	}, activity.RegisterOptions{Name: activities.FindAgentName})
	task, _ := run(t, env, able())
	if task.Status != sdk.StatusCancelled || !*task.CancelConfirmed || len(s.given) != 0 {
		t.Errorf("it is %s, with %d attempts given", task.Status, len(s.given))
	}
	if d := cmp.Diff([]string{"0.1 cancelled"}, chain(task)); d != "" {
		t.Error(d)
	}
}
