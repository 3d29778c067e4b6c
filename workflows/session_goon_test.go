package workflows_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// goesOn runs a session until it goes on as another run, and answers what that one starts with.
func (s *sitting) goesOn(in workflows.SessionInput) (next workflows.SessionInput) {
	s.t.Helper()
	s.env.ExecuteWorkflow(workflows.SessionWorkflow, in)
	on, ok := errors.AsType[*workflow.ContinueAsNewError](s.env.GetWorkflowError())
	if !ok {
		s.t.Fatalf("the run ended with %v", s.env.GetWorkflowError())
	}
	if on.WorkflowType.Name != workflows.SessionWorkflow || on.InitialVersioningBehavior != workflow.ContinueAsNewVersioningBehaviorAutoUpgrade {
		s.t.Errorf("%+v", on)
	}
	if err := workflows.DataConverter().FromPayloads(on.Input, &next); err != nil {
		s.t.Fatal(err)
	}
	return next
}

// TestSession_GoesOnAsAnotherRun: nobody notices.
func TestSession_GoesOnAsAnotherRun(t *testing.T) {
	t.Parallel()
	before := newSitting(t, working(time.Hour), teaches(`{"lessons":["look twice"]}`))
	for n := 1; n <= 3; n++ {
		before.after(0, n, sdk.TypeExecute, fmt.Sprint("task ", n))
	}
	before.env.RegisterDelayedCallback(func() { // it is to go on when the task that has its turn has ended
		before.env.SetContinueAsNewSuggested(true)
		before.env.SignalWorkflow(workflows.CancelRequested.Name, workflows.CancelRequestedInput{TaskID: turnID(3), Reason: "not needed"})
	}, time.Minute)
	next := before.goesOn(sessionInput())
	c := next.Carried
	if c == nil || len(c.Queue) != 1 || c.Queue[0].TaskID != turnID(2) || len(c.Keys) != 3 || c.Seq != 1 || c.Acknowledged != 1 || len(c.Events) != 0 ||
		c.Session.CompletedTasks != 1 || c.Session.FailedTasks != 1 || c.Session.CurrentTaskID != "" {
		t.Fatalf("carried %+v", c)
	}
	if d := cmp.Diff([]string{turnID(2)}, ids(workflows.CarriedTasks(next, time.Now()))); d != "" {
		t.Error(d)
	}

	after := newSitting(t, completes(`2`), completes(`4`))
	again := after.after(time.Minute, 1, sdk.TypeExecute, "task 1")
	after.after(time.Minute, 4, sdk.TypeExecute, "task 4")
	session := after.hold(next)
	if again.code != "" || again.out.Digest != "digest 1" || again.out.Nonce != "nonce" || again.out.Task.ID != turnID(1) {
		t.Errorf("the same again: %+v", again)
	}
	if d := cmp.Diff([]string{"execute by ollama: task 2", "execute by ollama: task 4"}, after.prompts()); d != "" {
		t.Error(d)
	}
	if session.CompletedTasks != 3 || session.FailedTasks != 1 || !session.CreatedAt.Equal(c.Session.CreatedAt) || session.Lessons[0] != "look twice" {
		t.Errorf("%+v", session)
	}
	if d := cmp.Diff([]string{"session.started"}, before.told(activities.StorySession, "s1")); d != "" {
		t.Error(d)
	}
	if story := after.stories[activities.StorySession+"/s1"]; len(story) != 1 || story[0].Seq != 2 || story[0].ID != "s1.2" || story[0].Type != sdk.EventSessionClosed {
		t.Errorf("%+v", story)
	}
}

// TestSession_CarriesWhatTheLogLacks: the log is away while the session goes on.
func TestSession_CarriesWhatTheLogLacks(t *testing.T) {
	t.Parallel()
	before := newSitting(t, completes(`1`))
	before.away.Store(true)
	before.after(0, 1, sdk.TypeExecute, "task 1")
	before.env.SetContinueAsNewSuggested(true)
	next := before.goesOn(sessionInput())
	if c := next.Carried; c == nil || c.Seq != 1 || c.Acknowledged != 0 || len(c.Events) != 1 || c.Events[0].Seq != 1 {
		t.Fatalf("carried %+v", c)
	}
	after := newSitting(t)
	after.hold(next)
	if d := cmp.Diff([]string{"session.started", "session.closed"}, after.told(activities.StorySession, "s1")); d != "" {
		t.Error(d)
	}
}

func ids(tasks []sdk.Task) (list []string) {
	for _, t := range tasks {
		list = append(list, t.ID)
	}
	return list
}
