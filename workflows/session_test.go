package workflows_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// sitting is a session that a test holds: its run, the agents' answers in order, and the stories that are told.
type sitting struct {
	t       *testing.T
	env     *testsuite.TestWorkflowEnvironment
	script  script
	mu      sync.Mutex
	stories map[string][]sdk.Event // by kind and id
	order   []string               // of what was told, as a project's log has it
	client  string                 // of the last task that was started
	away    atomic.Bool            // the log is
}

func newSitting(t *testing.T, answers ...answer) *sitting {
	t.Helper()
	s := &sitting{script: script{answers: answers}}
	s.prepare(t, s.script.execute)
	return s
}

// prepare makes the environment, in which execute answers for the agents.
func (s *sitting) prepare(t *testing.T, execute answer) {
	t.Helper()
	s.t, s.stories = t, map[string][]sdk.Event{}
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(noErrors{t})
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(5 * time.Minute)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a slow machine is none
	env.SetDataConverter(workflows.DataConverter())
	env.RegisterActivityWithOptions(execute, activity.RegisterOptions{Name: activities.ExecuteTaskName})
	env.RegisterActivityWithOptions(s.tell, activity.RegisterOptions{Name: activities.PublishEventsLocallyName})
	env.RegisterActivityWithOptions(s.tell, activity.RegisterOptions{Name: activities.PublishEventsName})
	env.RegisterWorkflowWithOptions(workflows.Session, workflow.RegisterOptions{Name: workflows.SessionWorkflow})
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.TaskInput) (sdk.Task, error) {
		s.client, _ = workflow.GetTypedSearchAttributes(ctx).GetKeyword(workflows.AttrClient)
		return workflows.Task(ctx, in)
	}, workflow.RegisterOptions{Name: workflows.TaskWorkflow})
	env.RegisterWorkflowWithOptions(workflows.PublishEvents, workflow.RegisterOptions{Name: workflows.PublishEventsWorkflow})
	s.env = env
}

// tell keeps events as the log does.
func (s *sitting) tell(in activities.PublishEventsInput) error {
	if s.away.Load() {
		return errAway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := in.Kind + "/" + in.ID
	for _, e := range in.Events {
		switch told := len(s.stories[name]); {
		case e.Seq <= max(told, in.Acknowledged):
		case e.Seq > max(told, in.Acknowledged)+1:
			return temporal.NewApplicationError("a gap", string(sdk.CodeConflict))
		default:
			s.stories[name] = append(s.stories[name], e)
			s.order = append(s.order, in.ID+" "+string(e.Type))
		}
	}
	return nil
}

// told is the types of a story's events.
func (s *sitting) told(kind, id string) (types []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.stories[kind+"/"+id] {
		types = append(types, string(e.Type))
	}
	return types
}

// last is the data of the last event of a type in a story.
func last[T any](s *sitting, kind, id string, of sdk.EventType) (data T) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.stories[kind+"/"+id]) {
		if e.Type == of {
			if err := json.Unmarshal(e.Data, &data); err != nil {
				s.t.Error(err)
			}
			if kind == activities.StoryTask && e.Session != "s1" {
				s.t.Errorf("%s is of the session %q", of, e.Session)
			}
			return data
		}
	}
	s.t.Errorf("the story %s of %s has no %s", kind, id, of)
	return data
}

func sessionInput(change ...func(*sdk.SessionConfig)) workflows.SessionInput {
	c := sdk.SessionConfig{CostTier: sdk.TierFree, ClientID: "editor", Metadata: map[string]string{"a": "b"}}
	for _, f := range change {
		f(&c)
	}
	return workflows.SessionInput{Project: "default", Organization: "acme", ID: "s1", Config: c}
}

// turnID is the id of the n-th task that a test sends.
func turnID(n int) string { return workflows.SessionTaskID("s1", fmt.Sprint(n)) }

// sending is what becomes of a send-task.
type sending struct {
	out  workflows.SendTaskOutput
	code sdk.Code // "" when it was taken
}

// after sends a task when so much of the run's time has passed.
func (s *sitting) after(d time.Duration, n int, kind sdk.TaskType, prompt string, change ...func(*workflows.SendTaskInput)) *sending {
	in := workflows.SendTaskInput{
		TaskID: turnID(n), Request: sdk.SessionTaskRequest{Type: kind, Prompt: prompt}, Digest: fmt.Sprint("digest ", n), Nonce: "nonce",
	}
	for _, f := range change {
		f(&in)
	}
	got := &sending{code: "no answer"}
	note := func(err error) {
		if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
			got.code = sdk.Code(app.Type())
		} else if err != nil {
			s.t.Errorf("send %d: %v", n, err)
		}
	}
	s.env.RegisterDelayedCallback(func() {
		s.env.UpdateWorkflow(workflows.SendTask.Name, "", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: note,
			OnComplete: func(value any, err error) {
				got.code = ""
				note(err)
				if out, ok := value.(workflows.SendTaskOutput); ok {
					got.out = out
				}
			},
		}, in)
	}, d)
	return got
}

// close closes the session when so much of the run's time has passed.
func (s *sitting) close(d time.Duration) {
	s.env.RegisterDelayedCallback(func() {
		s.env.UpdateWorkflow(workflows.CloseSession.Name, "", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(err error) { s.t.Error(err) },
			OnComplete: func(value any, err error) {
				out, ok := value.(workflows.CloseSessionOutput)
				if err != nil || !ok || out.Session.Status == sdk.SessionOpen {
					s.t.Errorf("closing: %+v %v", value, err)
				}
			},
		}, workflows.CloseSessionInput{})
	}, d)
}

// hold runs the session to its end.
func (s *sitting) hold(in workflows.SessionInput) sdk.Session {
	s.t.Helper()
	s.env.ExecuteWorkflow(workflows.SessionWorkflow, in)
	var session sdk.Session
	if err := s.env.GetWorkflowResult(&session); err != nil {
		s.t.Fatalf("the session ended with %v", err)
	}
	return session
}

// prompts are those that the agents were given, with the model each time.
func (s *sitting) prompts() (given []string) {
	for _, a := range s.script.given {
		var in sdk.SessionPrompt
		if err := json.Unmarshal(a.Task.Input, &in); err != nil {
			s.t.Error(err)
		}
		_, text, _ := strings.Cut(in.Prompt, "Task: ")
		text, _, _ = strings.Cut(text, "\n")
		given = append(given, fmt.Sprintf("%s by %s: %s", a.Task.Type, a.Model, text))
	}
	return given
}

// teaches is an answer that leaves something for those that follow.
func teaches(reflection string, refs ...string) answer {
	return func(sdk.Assignment) (activities.AttemptReport, error) {
		return activities.AttemptReport{AgentID: "agent-1", Result: &sdk.Result{
			Output: json.RawMessage(`1`), Reflection: json.RawMessage(reflection), EpisodeRefs: refs,
		}}, nil
	}
}

func TestSession_DoesItsTasksInOrder(t *testing.T) {
	t.Parallel()
	s := newSitting(t, working(time.Hour), teaches(`{"lessons":["look twice"],"followUps":["write docs"]}`, "ep-041"), completes(`2`), completes(`3`))
	first := s.after(0, 1, sdk.TypeExecute, "the first")
	s.after(0, 2, sdk.TypeAnalyze, "the second")
	s.after(time.Minute, 3, sdk.TypeCodeReview, "the third", func(in *workflows.SendTaskInput) { in.Request.Priority = "urgent" })
	session := s.hold(sessionInput())
	want := []string{"execute by ollama: the first", "execute by ollama: the first", "analyze by ollama: the second", "code.review by ollama: the third"}
	if d := cmp.Diff(want, s.prompts()); d != "" {
		t.Error(d)
	}
	if first.code != "" || first.out.Task.Status != sdk.StatusQueued || first.out.Task.SessionID != "s1" || first.out.Nonce != "nonce" ||
		first.out.Task.Title != "the first" || first.out.Task.Input != nil || first.out.Task.WaitingFor == nil {
		t.Errorf("sent: %+v", first)
	}
	if session.Status != sdk.SessionClosed || session.CloseReason != sdk.CloseIdle || session.CompletedTasks != 3 || session.FailedTasks != 0 ||
		session.QueuedTasks != 0 || session.CurrentTaskID != "" || session.ClosedAt.Sub(session.LastActivityAt) < 30*time.Minute {
		t.Errorf("%+v", session)
	}
	if d := cmp.Diff([][]string{{"look twice"}, {"write docs"}, {"ep-041"}}, [][]string{session.Lessons, session.FollowUps, session.EpisodeRefs}); d != "" {
		t.Error(d)
	}
	third := s.script.given[3].Task
	for _, line := range []string{"look twice", "write docs", "ep-041"} {
		if !strings.Contains(string(third.Input), line) || strings.Contains(string(s.script.given[0].Task.Input), line) {
			t.Errorf("%q is not given to those that follow: %s", line, third.Input)
		}
	}
	if third.Role != sdk.RoleReviewer || third.Priority != sdk.PriorityCritical || third.FairnessKey != "s1" || third.SessionID != "s1" || s.client != "editor" {
		t.Errorf("%+v of %q", third, s.client)
	}
	if d := cmp.Diff([]string{"session.started", "session.closed"}, s.told(activities.StorySession, "s1")); d != "" {
		t.Error(d)
	}
	if end := last[sdk.SessionEnded](s, activities.StorySession, "s1", sdk.EventSessionClosed); end != (sdk.SessionEnded{SessionID: "s1", Reason: sdk.CloseIdle, CompletedTasks: 3}) {
		t.Errorf("%+v", end)
	}
	if begun := last[sdk.SessionStarted](s, activities.StorySession, "s1", sdk.EventSessionStarted); begun.CostTier != sdk.TierFree || begun.ExecutorModel != "ollama" {
		t.Errorf("%+v", begun)
	}
	if created := last[sdk.TaskCreated](s, activities.StoryTask, turnID(2), sdk.EventTaskCreated); created.Prompt != "the second" {
		t.Errorf("%+v", created)
	}
	again := last[sdk.TaskRetrying](s, activities.StoryTask, turnID(1), sdk.EventTaskRetrying)
	if again.ErrorCount != 1 || again.Attempt != 1 || again.MaxAttempts != 3 {
		t.Errorf("%+v", again)
	}
	if end := last[sdk.TaskEnded](s, activities.StoryTask, turnID(1), sdk.EventTaskCompleted); end.ErrorCount != 1 || end.Attempts != 2 {
		t.Errorf("%+v", end)
	}
}

// TestSession_FallsBack: a stage that is used up is followed by the tier below, and what fails for good leaves the session usable.
func TestSession_FallsBack(t *testing.T) {
	t.Parallel()
	bad := fails("agent_failed", true, activities.AttemptReport{AgentID: "agent-1"})
	s := newSitting(t, bad, bad, bad, completes(`1`), bad, bad, bad, completes(`3`))
	s.after(0, 1, sdk.TypeExecute, "the first")
	s.after(0, 2, sdk.TypeAnalyze, "the second")
	s.after(0, 3, sdk.TypeExecute, "the third")
	session := s.hold(sessionInput(func(c *sdk.SessionConfig) { c.CostTier = sdk.TierHybrid }))
	cloud, local := "execute by claude-sonnet-4: the first", "analyze by ollama: the second"
	want := []string{cloud, cloud, cloud, "execute by ollama: the first", local, local, local, "execute by claude-sonnet-4: the third"}
	if d := cmp.Diff(want, s.prompts()); d != "" {
		t.Error(d)
	}
	if session.CompletedTasks != 2 || session.FailedTasks != 1 {
		t.Errorf("%+v", session)
	}
	down := last[sdk.TaskFellBack](s, activities.StoryTask, turnID(1), sdk.EventTaskFallback)
	if down.ToModel != "ollama" || down.ErrorCount != 3 {
		t.Errorf("%+v", down)
	}
	if end := last[sdk.TaskEnded](s, activities.StoryTask, turnID(1), sdk.EventTaskCompleted); !end.Degraded || end.Model != "ollama" || end.ErrorCount != 3 {
		t.Errorf("%+v", end)
	}
	if end := last[sdk.TaskEnded](s, activities.StoryTask, turnID(3), sdk.EventTaskCompleted); end.Degraded || end.Model != "claude-sonnet-4" {
		t.Errorf("%+v", end)
	}
}

// TestSession_Closes: the task that has its turn is stopped and says why, what waits is cancelled, and nothing is taken any more.
func TestSession_Closes(t *testing.T) {
	t.Parallel()
	s := newSitting(t, working(time.Hour))
	s.after(0, 1, sdk.TypeExecute, "the first")
	s.after(0, 2, sdk.TypeExecute, "the second")
	s.close(time.Minute)
	s.close(time.Minute)
	late := s.after(time.Minute, 3, sdk.TypeExecute, "the third")
	again := s.after(time.Minute, 2, sdk.TypeExecute, "the second", func(in *workflows.SendTaskInput) { in.Nonce = "another" })
	session := s.hold(sessionInput())
	if session.CloseReason != sdk.CloseRequested || session.CompletedTasks != 0 || session.FailedTasks != 2 || len(s.script.given) != 1 {
		t.Errorf("%+v, and %d attempts", session, len(s.script.given))
	}
	if late.code != sdk.CodeConflict || again.code != "" || again.out.Digest != "digest 2" || again.out.Nonce != "" {
		t.Errorf("a new one %+v, one that was sent %+v", late, again)
	}
	for n := 1; n <= 2; n++ {
		end := last[sdk.TaskEnded](s, activities.StoryTask, turnID(n), sdk.EventTaskCancelled)
		if end.Error == nil || end.Error.Message != "the session was closed" {
			t.Errorf("task %d: %+v", n, end)
		}
	}
	if d := cmp.Diff([]string{"task.created", "task.cancelled"}, s.told(activities.StoryTask, turnID(2))); d != "" {
		t.Error(d)
	}
}

// TestSession_Cancels: of the tasks that wait, and of the one that has its turn.
func TestSession_Cancels(t *testing.T) {
	t.Parallel()
	s := newSitting(t, working(time.Hour), completes(`3`))
	cancel := func(d time.Duration, n int, reason string) {
		s.env.RegisterDelayedCallback(func() {
			s.env.SignalWorkflow(workflows.CancelRequested.Name, workflows.CancelRequestedInput{TaskID: turnID(n), Reason: reason})
		}, d)
	}
	for n := 1; n <= 3; n++ {
		s.after(0, n, sdk.TypeExecute, fmt.Sprint("task ", n))
	}
	cancel(time.Minute, 2, "not needed")
	s.env.RegisterDelayedCallback(func() { // the first has its turn still
		if end := last[sdk.TaskEnded](s, activities.StoryTask, turnID(2), sdk.EventTaskCancelled); end.Error == nil || end.Error.Message != "not needed" {
			t.Errorf("%+v", end)
		}
		value, err := s.env.QueryWorkflow(workflows.DescribeSession.Name)
		var now sdk.Session
		if err == nil {
			err = value.Get(&now)
		}
		if err != nil || now.CurrentTaskID != turnID(1) || now.QueuedTasks != 1 || now.FailedTasks != 1 {
			t.Errorf("%+v %v", now, err)
		}
		value, err = s.env.QueryWorkflow(workflows.ListQueue.Name)
		var queue workflows.ListQueueOutput
		if err == nil {
			err = value.Get(&queue)
		}
		if d := cmp.Diff([]string{turnID(3)}, queue.TaskIDs); err != nil || d != "" {
			t.Error(d, err)
		}
	}, 2*time.Minute)
	cancel(3*time.Minute, 1, "too slow")
	cancel(4*time.Minute, 1, "too late")
	session := s.hold(sessionInput())
	if session.CompletedTasks != 1 || session.FailedTasks != 2 || session.CloseReason != sdk.CloseIdle {
		t.Errorf("%+v", session)
	}
	if end := last[sdk.TaskEnded](s, activities.StoryTask, turnID(1), sdk.EventTaskCancelled); end.Error == nil || end.Error.Message != "too slow" {
		t.Errorf("%+v", end)
	}
}

// TestSession_OperatorCancels: the run's own cancellation closes the session.
func TestSession_OperatorCancels(t *testing.T) {
	t.Parallel()
	s := newSitting(t, working(time.Hour))
	s.after(0, 1, sdk.TypeExecute, "the first")
	s.env.RegisterDelayedCallback(s.env.CancelWorkflow, time.Minute)
	session := s.hold(sessionInput())
	if session.Status != sdk.SessionClosed || session.CloseReason != sdk.CloseRequested || session.FailedTasks != 1 {
		t.Errorf("%+v", session)
	}
}

// TestSession_RefusesWhatNoClientSends: to the run, and as a run.
func TestSession_RefusesWhatNoClientSends(t *testing.T) {
	t.Parallel()
	s := newSitting(t)
	other := s.after(0, 1, sdk.TypeExecute, "of another session", func(in *workflows.SendTaskInput) { in.TaskID = workflows.SessionTaskID("s2", "1") })
	short := s.after(0, 2, sdk.TypeExecute, "hi")
	s.hold(sessionInput())
	if other.code != sdk.CodeInvalidInput || short.code != sdk.CodeInvalidInput {
		t.Errorf("another session's %q, a short prompt %q", other.code, short.code)
	}
	bad := newSitting(t)
	in := sessionInput()
	in.ID = "no id"
	bad.env.ExecuteWorkflow(workflows.SessionWorkflow, in)
	app, ok := errors.AsType[*temporal.ApplicationError](bad.env.GetWorkflowError())
	if !ok || sdk.Code(app.Type()) != sdk.CodeInvalidInput || len(bad.stories) > 0 {
		t.Errorf("%v, told %v", bad.env.GetWorkflowError(), bad.stories)
	}
}
