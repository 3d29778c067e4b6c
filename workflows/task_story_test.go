package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// storyLog is a scripted event log: it keeps stories as the real one does, and notes who told.
type storyLog struct {
	late atomic.Bool // a local activity did not get to its end in time, so that who told is not what it would have been

	mu       sync.Mutex
	events   []sdk.Event
	calls    []string // "local" or "ordinary", with the seqs
	inputs   []activities.PublishEventsInput
	locally  func(call int) error // how local call 1, 2, 3 … ends before anything is kept; nil: well
	ordinary func(call int) error
}

func (l *storyLog) serve(env *testsuite.TestWorkflowEnvironment) {
	local, ordinary := 0, 0
	var answered, over atomic.Int64
	env.SetOnLocalActivityCompletedListener(func(*activity.Info, converter.EncodedValue, error) {
		if over.Load() < answered.Add(1) { // it was given up
			l.late.Store(true)
		}
	})
	env.RegisterActivityWithOptions(func(ctx context.Context, in activities.PublishEventsInput) error {
		defer func() {
			if ctx.Err() != nil {
				l.late.Store(true)
			}
			over.Add(1)
		}()
		l.mu.Lock()
		local++
		fault := l.locally
		n := local
		l.mu.Unlock()
		if fault != nil {
			if err := fault(n); err != nil {
				l.note("local failed", in)
				return err
			}
		}
		return l.tell("local", in)
	}, activity.RegisterOptions{Name: activities.PublishEventsLocallyName})
	env.RegisterActivityWithOptions(func(in activities.PublishEventsInput) error {
		l.mu.Lock()
		ordinary++
		fault := l.ordinary
		n := ordinary
		l.mu.Unlock()
		if fault != nil {
			if err := fault(n); err != nil {
				l.note("ordinary failed", in)
				return err
			}
		}
		return l.tell("ordinary", in)
	}, activity.RegisterOptions{Name: activities.PublishEventsName})
}

func (l *storyLog) note(how string, in activities.PublishEventsInput) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, fmt.Sprintf("%s %d-%d", how, in.Events[0].Seq, in.Events[len(in.Events)-1].Seq))
}

func (l *storyLog) tell(how string, in activities.PublishEventsInput) error {
	l.note(how, in)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inputs = append(l.inputs, in)
	for _, e := range in.Events {
		switch {
		case e.Seq <= len(l.events):
		case e.Seq > len(l.events)+1:
			return temporal.NewApplicationError("a gap", string(sdk.CodeConflict))
		default:
			l.events = append(l.events, e)
		}
	}
	return nil
}

// kept is the story so far. Like told and said it is a copy: a local activity that is given up may go on.
func (l *storyLog) kept() []sdk.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// told is what was taken, call by call.
func (l *storyLog) told() []activities.PublishEventsInput {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.inputs)
}

// said is who told, call by call.
func (l *storyLog) said() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.calls)
}

// types are those of a story, with what tells one from another.
func (l *storyLog) types(t *testing.T) []string {
	t.Helper()
	return storyLines(t, l.kept())
}

// inTime plays scripts that are the same until no local activity was late, and answers the last one: a local activity has 150 ms of real time.
func inTime(t *testing.T, write func() *script, play func(*script)) *script {
	t.Helper()
	for range 20 {
		s := write()
		if play(s); !s.log.late.Load() {
			return s
		}
	}
	t.Fatal("this machine is too slow for a local activity")
	return nil
}

func storyLines(t *testing.T, events []sdk.Event) []string {
	t.Helper()
	lines := []string{}
	for i, e := range events {
		if e.Seq != i+1 || e.ID != fmt.Sprintf("t1.%d", i+1) || e.Source != "/projects/default/tasks/t1" || e.Subject != "task/t1" || e.Time.IsZero() {
			t.Errorf("event %d: %+v", i+1, e)
		}
		lines = append(lines, storyLine(t, e))
	}
	return lines
}

// storyLine is an event's type, and what tells it from another of the same type.
func storyLine(t *testing.T, e sdk.Event) string {
	t.Helper()
	var d struct {
		Stage, Attempt, ToStage int
		AgentID, Outcome        string
		Percentage              float64
		Error                   *sdk.TaskError
		Fingerprint             string
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		t.Errorf("data of %s: %v", e.Type, err)
	}
	line := string(e.Type)
	switch e.Type {
	case sdk.EventTaskAssigned, sdk.EventTaskInputRequired:
		line += fmt.Sprintf(" %d.%d", d.Stage, d.Attempt)
	case sdk.EventTaskRetrying:
		line += fmt.Sprintf(" %d.%d %s %s", d.Stage, d.Attempt, d.Outcome, d.Error.Code)
	case sdk.EventTaskFallback:
		line += fmt.Sprintf(" to %d %s %s", d.ToStage, d.Outcome, d.Error.Code)
	case sdk.EventTaskProgress:
		line += fmt.Sprintf(" %g", d.Percentage)
	case sdk.EventTaskFailed, sdk.EventTaskCancelled:
		line += " " + string(d.Error.Code)
	default:
	}
	if (e.Type == sdk.EventTaskFailed || e.Type == sdk.EventTaskRetrying || e.Type == sdk.EventTaskFallback) != (len(d.Fingerprint) == 16) {
		t.Errorf("%s has the fingerprint %q", line, d.Fingerprint)
	}
	return line
}

type answer = func(sdk.Assignment) (activities.AttemptReport, error)

func TestTask_TellsItsStory(t *testing.T) {
	t.Parallel()
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	report := activities.AttemptReport{AgentID: "agent-1", StartedAt: &begun}
	progressed := report
	progressed.N, progressed.Progress = 0, &sdk.Progress{Percentage: 50, At: begun}
	two := request()
	two.Fallback = []sdk.Stage{{Model: "small"}}
	review := request()
	review.Type = sdk.TypeCodeReview
	analyse := request()
	analyse.Type = sdk.TypeAnalyze
	bad := request()
	bad.Title = ""
	for name, test := range map[string]struct {
		request sdk.TaskRequest
		answers []answer
		want    []string
	}{
		"a success": {request(), []answer{completes(`1`)},
			[]string{"task.created", "task.assigned 0.1", "task.started", "task.completed", "code.generated"}},
		"a review": {review, []answer{completes(`1`)},
			[]string{"task.created", "task.assigned 0.1", "task.started", "task.completed", "code.reviewed"}},
		"of another type": {analyse, []answer{completes(`1`)},
			[]string{"task.created", "task.assigned 0.1", "task.started", "task.completed"}},
		"a retry": {request(), []answer{fails("agent_failed", true, report), completes(`1`)},
			[]string{"task.created", "task.assigned 0.1", "task.started", "task.retrying 0.1 failed agent_failed", "task.assigned 0.2", "task.completed", "code.generated"}},
		"a fallback, and no success": {two, []answer{fails("no_licence", false, report), fails("no_licence", false, report)},
			[]string{"task.created", "task.assigned 0.1", "task.started", "task.fallback to 1 failed no_licence", "task.assigned 1.1", "task.failed no_licence"}},
		"a lost worker": {request(), []answer{timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT, progressed), completes(`1`)},
			[]string{"task.created", "task.assigned 0.1", "task.started", "task.progress 50", "task.retrying 0.1 lost worker_lost", "task.assigned 0.2", "task.completed", "code.generated"}},
		"given back unbegun": {request(), []answer{fails("interrupted", true, activities.AttemptReport{AgentID: "agent-1"}), completes(`1`)},
			[]string{"task.created", "task.retrying 0.1 interrupted interrupted", "task.assigned 0.2", "task.started", "task.completed", "code.generated"}},
		"nobody took it": {request(), []answer{timesOut(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START)},
			[]string{"task.created", "task.failed queue_timeout"}},
		"a question that nobody answers": {request(), []answer{asks("Deploy?", "")},
			[]string{"task.created", "task.assigned 0.1", "task.started", "task.input_required 0.1", "task.failed input_timeout"}},
		"a request that can not be carried out": {bad, nil, []string{"task.created", "task.failed invalid_input"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: test.answers}
			task, _ := run(t, newEnv(t, s), test.request)
			if d := cmp.Diff(test.want, s.log.types(t)); d != "" {
				t.Error(d)
			}
			in := input(test.request)
			kept := s.log.kept()
			last := kept[len(kept)-1]
			if _, ok := workflows.CodeEvent(in, task, 2); ok {
				if last.CausationID != fmt.Sprintf("t1.%d", last.Seq-1) {
					t.Errorf("%s was caused by %q", last.Type, last.CausationID)
				}
				last = kept[len(kept)-2]
			}
			if d := cmp.Diff(workflows.TerminalEvent(in, task, last.Seq), last); d != "" {
				t.Errorf("the record tells another end than the run: %s", d)
			}
		})
	}
}
