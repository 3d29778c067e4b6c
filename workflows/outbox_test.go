package workflows_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

var errAway = errors.New("the log is away")

func away(int) error { return errAway }

// wholeStory is that of a task that retries once, an hour after its first attempt.
func wholeStory() []string {
	return []string{
		"task.created", "task.assigned 0.1", "task.started", "task.retrying 0.1 failed overloaded",
		"task.assigned 0.2", "task.completed", "code.generated",
	}
}

// retriesAfter is a script with an hour between two attempts.
func retriesAfter(d time.Duration) *script {
	return &script{answers: []answer{
		func(sdk.Assignment) (activities.AttemptReport, error) {
			return activities.AttemptReport{}, temporal.NewApplicationErrorWithOptions("busy", "overloaded", temporal.ApplicationErrorOptions{NextRetryDelay: d})
		},
		completes(`1`),
	}}
}

func TestTask_PublishesWhateverTheLogDoes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		locally, ordinary func(call int) error
		calls             []string
	}{
		"it is there": {nil, nil, []string{"local 1-1", "local 2-4", "local 5-7"}},
		"it fails once, and is there an hour later": {
			func(n int) error {
				if n == 1 {
					return errAway
				}
				return nil
			}, nil,
			[]string{"local failed 1-1", "ordinary 1-1", "local 5-7", "ordinary 2-4"},
		},
		"it is away for local activities": {away, nil,
			[]string{"local failed 1-1", "local failed 5-7", "ordinary 1-1", "ordinary 2-4", "ordinary 5-7"}},
		"it is away for long": {away,
			func(n int) error {
				if n < 10 {
					return errAway
				}
				return nil
			}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inTime(t, func() *script {
				s := retriesAfter(time.Hour)
				s.log.locally, s.log.ordinary = test.locally, test.ordinary
				return s
			}, func(s *script) {
				task, err := run(t, newEnv(t, s), request())
				if err != nil || task.Status != sdk.StatusCompleted {
					t.Fatalf("the log costs the result: %+v %v", task, err)
				}
				if d := cmp.Diff(wholeStory(), s.log.types(t)); d != "" {
					t.Error(d)
				}
			})
			calls := s.log.said()
			slices.Sort(calls)
			if test.calls != nil {
				slices.Sort(test.calls)
				if d := cmp.Diff(test.calls, calls); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

// TestTask_SaysWhatTheLogHasAcknowledged is for a log that has lost its end, or of which retention has left nothing.
func TestTask_SaysWhatTheLogHasAcknowledged(t *testing.T) {
	t.Parallel()
	s := inTime(t, func() *script { return retriesAfter(time.Hour) }, func(s *script) {
		if _, err := run(t, newEnv(t, s), request()); err != nil {
			t.Fatal(err)
		}
	})
	told := s.log.told()
	for i, want := range []int{0, 1, 4} {
		if got := told[i].Acknowledged; got != want {
			t.Errorf("call %d says that %d were acknowledged, want %d", i+1, got, want)
		}
	}
}

// largeTail is a task whose events are too many for one part, and all of them are left at its end.
func largeTail() (sdk.TaskRequest, *script) {
	r := request()
	r.Retry = &sdk.Retry{MaxAttempts: 100, InitialIntervalMs: 1000, MaxIntervalMs: 1000}
	s := &script{}
	s.log.locally = away
	var ended atomic.Bool
	s.log.ordinary = func(int) error {
		if !ended.Load() { // nothing is taken before the run's own end, so that all of it is handed over
			return errAway
		}
		return nil
	}
	details := json.RawMessage(`"` + strings.Repeat("x", sdk.MaxErrorDetails-2) + `"`)
	for range 99 {
		s.answers = append(s.answers, func(sdk.Assignment) (activities.AttemptReport, error) {
			return activities.AttemptReport{}, temporal.NewApplicationErrorWithOptions("no", "agent_failed",
				temporal.ApplicationErrorOptions{Details: []any{activities.AttemptReport{Details: details}}})
		})
	}
	s.answers = append(s.answers, func(a sdk.Assignment) (activities.AttemptReport, error) {
		ended.Store(true)
		return completes(`1`)(a)
	})
	return r, s
}

func TestTask_HandsLargeTailsOverInParts(t *testing.T) {
	t.Parallel()
	r, s := largeTail()
	env := newEnv(t, s)
	var children []string
	env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		children = append(children, info.WorkflowExecution.ID)
	})
	if _, err := run(t, env, r); err != nil {
		t.Fatal(err)
	}
	if len(children) < 2 || children[len(children)-1] != workflows.EventsWorkflowID("default", "t1") || children[0] != "events:default:t1:1" {
		t.Errorf("parts: %v", children)
	}
	for _, in := range s.log.told() {
		if size, err := workflows.EncodedSize(in); err != nil || size > 1_500_000 {
			t.Errorf("a part of %d bytes, %v", size, err)
		}
	}
	if got := s.log.types(t); len(got) != 1+99*2+1+1+2 {
		t.Errorf("%d events", len(got))
	}
}

// TestTask_HandsNothingOverAfterAPartThatDoesNotStart holds that what follows it does not wait for it for a month.
func TestTask_HandsNothingOverAfterAPartThatDoesNotStart(t *testing.T) {
	t.Parallel()
	r, s := largeTail()
	env := newEnv(t, s)
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		ctx.Done().Receive(ctx, nil)
		return nil
	}, workflow.RegisterOptions{Name: "stranger"})
	var parts []string
	env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		if info.WorkflowType.Name == workflows.PublishEventsWorkflow {
			parts = append(parts, info.WorkflowExecution.ID)
		}
	})
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		child, end := workflow.WithCancel(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: workflows.EventsPartID("default", "t1", 1)}))
		stranger := workflow.ExecuteChildWorkflow(child, "stranger")
		if err := stranger.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
			return err
		}
		err := workflow.ExecuteChildWorkflow(ctx, workflows.TaskWorkflow, input(r)).Get(ctx, nil)
		end()
		_ = stranger.Get(ctx, nil)
		return err
	})
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	told := s.log.told()
	if len(told) != 1 || told[0].Events[0].Seq != 1 || !slices.Equal(parts, []string{workflows.EventsWorkflowID("default", "t1")}) {
		t.Errorf("parts %v, told in %v", parts, s.log.said())
	}
	if types := s.log.types(t); strings.HasPrefix(types[len(types)-1], "task.completed") {
		t.Error("all of it went over in one part")
	}
}

// TestTask_AsksForItsAttemptBeforeItPublishes holds that the log is not waited for before an agent is asked:
// an ordinary activity that ends only once the attempt has begun does not keep the task from its end.
func TestTask_AsksForItsAttemptBeforeItPublishes(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	s := &script{answers: []answer{func(a sdk.Assignment) (activities.AttemptReport, error) {
		close(asked)
		return completes(`1`)(a)
	}}}
	s.log.locally = func(n int) error {
		if n == 1 {
			return errAway
		}
		return nil
	}
	s.log.ordinary = func(n int) error {
		if n > 1 {
			return nil
		}
		select {
		case <-asked:
			return nil
		case <-time.After(10 * time.Second):
			t.Error("no attempt was asked for while the log was told")
			return errAway
		}
	}
	if _, err := run(t, newEnv(t, s), request()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-asked:
	default:
		t.Error("no attempt was made")
	}
}
