package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// talks is a session of a scene's project, held with an engine in this process.
type talks struct {
	*scene
	engine  *engine.Engine
	session string
}

// newEngine is an engine of the test's own on a stack.
func newEngine(t *testing.T, stack *dev.Stack) *engine.Engine {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{
		HostPort: stack.TemporalAddr(), Logger: slog.New(slog.DiscardHandler), Identity: "api", DataConverter: workflows.DataConverter(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	e := engine.New(c, engine.Config{DataConverter: workflows.DataConverter(), Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(e.Close)
	return e
}

// open opens a session in the scene's project.
func (s *scene) open(e *engine.Engine, session string, change func(*workflows.SessionInput)) *talks {
	s.t.Helper()
	in := workflows.SessionInput{Project: s.project, ID: session, Config: sdk.SessionConfig{Retry: &sdk.Retry{InitialIntervalMs: 100}}}
	if change != nil {
		change(&in)
	}
	opened, replayed, err := e.OpenSession(s.t.Context(), in, "digest")
	s.do(err)
	if replayed || opened.Status != sdk.SessionOpen {
		s.t.Errorf("opened %+v, replayed %t", opened, replayed)
	}
	return &talks{scene: s, engine: e, session: session}
}

// send sends the n-th task and answers its id.
func (s *talks) send(n int, kind sdk.TaskType) string {
	s.t.Helper()
	task, replayed, err := s.engine.SendTask(s.t.Context(), s.project, s.session, s.asking(n, kind))
	s.do(err)
	if replayed {
		s.t.Errorf("task %d was sent before", n)
	}
	return task.ID
}

func (s *talks) asking(n int, kind sdk.TaskType) workflows.SendTaskInput {
	return workflows.SendTaskInput{
		TaskID: workflows.SessionTaskID(s.session, fmt.Sprint(n)), Digest: fmt.Sprint("digest ", n),
		Request: sdk.SessionTaskRequest{Type: kind, Prompt: fmt.Sprint("task ", n)},
	}
}

// ends waits for the end of a task.
func (s *talks) ends(id string) sdk.Task {
	s.t.Helper()
	task, err := s.engine.WaitTask(s.t.Context(), s.project, id, patience)
	s.do(err)
	if !task.Status.Terminal() {
		s.t.Fatalf("task %s is %s", id, task.Status)
	}
	return task
}

// closes closes the session and waits for that.
func (s *talks) closes() sdk.Session {
	s.t.Helper()
	_, err := s.engine.CloseSession(s.t.Context(), s.project, s.session)
	s.do(err)
	var session sdk.Session
	s.eventually("the session's end", patience, func() error {
		session, err = s.engine.GetSession(s.t.Context(), s.project, s.session)
		if err == nil && session.Status != sdk.SessionClosed {
			err = fmt.Errorf("it is %s", session.Status)
		}
		return err
	})
	return session
}

// answering is a handler that completes tasks with their prompt and model, and does as their prompt says.
func answering(given chan<- string, fails func(*sdk.Assignment) bool) sdk.Handler {
	return sdk.HandlerFunc(func(ctx context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		var in sdk.SessionPrompt
		if err := json.Unmarshal(a.Task.Input, &in); err != nil {
			return nil, err
		}
		_, said, _ := strings.Cut(in.Prompt, "Task: ")
		said, _, _ = strings.Cut(said, "\n")
		select {
		case given <- fmt.Sprintf("%s by %s", said, a.Model):
		default:
		}
		if fails != nil && fails(a) {
			return nil, errors.New("not today")
		}
		if said == "task 99" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		output, err := json.Marshal(said)
		return &sdk.Result{Output: output, Reflection: json.RawMessage(`{"lessons":["lesson of ` + said + `"]}`)}, err
	})
}

// TestASessionGoesOnInAnotherRun: tasks that are sent while it does are done once and in order, and read as any other.
func TestASessionGoesOnInAnotherRun(t *testing.T) {
	t.Parallel()
	const tasks = 30
	s := newScene(t, sharedStack(t))
	given := make(chan string, tasks)
	s.inProcess("worker-1", 1, answering(given, nil))
	e := newEngine(t, s.stack)
	talk := s.open(e, "s1", func(in *workflows.SessionInput) { in.TasksPerRun, in.Config.ClientID = 2, "editor" })
	var ids []string
	for n := range tasks {
		ids = append(ids, talk.send(n, sdk.TypeExecute))
		if n%7 == 0 {
			again, replayed, err := e.SendTask(t.Context(), s.project, "s1", talk.asking(n, sdk.TypeExecute))
			if err != nil || !replayed || again.ID != ids[n] {
				t.Errorf("the same again: %+v %t %v", again, replayed, err)
			}
			if read, err := e.GetTask(t.Context(), s.project, ids[n]); err != nil || read.SessionID != "s1" || read.Title != fmt.Sprint("task ", n) {
				t.Errorf("%+v %v", read, err)
			}
		}
	}
	for n, id := range ids {
		if task := talk.ends(id); task.Status != sdk.StatusCompleted || string(task.Result.Output) != fmt.Sprintf("%q", fmt.Sprint("task ", n)) {
			t.Errorf("%+v", task)
		}
		if said := <-given; said != fmt.Sprintf("task %d by ollama", n) {
			t.Errorf("task %d: %s", n, said)
		}
	}
	other := talk.asking(3, sdk.TypeExecute)
	other.Digest = "another"
	if _, _, err := e.SendTask(t.Context(), s.project, "s1", other); !errors.Is(err, sdk.ErrIdempotencyMismatch) {
		t.Errorf("another request with the same key: %v", err)
	}
	session := talk.closes()
	if session.CompletedTasks != tasks || session.FailedTasks != 0 || session.CloseReason != sdk.CloseRequested || len(session.Lessons) != tasks {
		t.Errorf("%+v", session)
	}
	if _, _, err := e.SendTask(t.Context(), s.project, "s1", talk.asking(tasks, sdk.TypeExecute)); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("a task for a closed session: %v", err)
	}
	if again, err := e.CloseSession(t.Context(), s.project, "s1"); err != nil || again.Status != sdk.SessionClosed {
		t.Errorf("closed again: %+v %v", again, err)
	}
	s.eventually("the session in the list", patience, func() error {
		page, err := e.ListSessions(t.Context(), s.project, sdk.SessionFilter{ClientID: "editor", Status: sdk.SessionClosed}, "")
		if err == nil && (len(page.Items) != 1 || page.Items[0].CompletedTasks != tasks || page.Items[0].Stale) {
			err = fmt.Errorf("%+v", page.Items)
		}
		return err
	})
}

// TestTasksThatWaitInTheirSession are read and cancelled before they have a run, also without a control worker, and end with their session.
func TestTasksThatWaitInTheirSession(t *testing.T) {
	t.Parallel()
	s := newScene(t, ownStack(t))
	s.inProcess("worker-1", 1, answering(make(chan string, 1), nil))
	e := newEngine(t, s.stack)
	talk := s.open(e, "s1", func(in *workflows.SessionInput) { in.TasksPerRun = 1 })
	talk.ends(talk.send(1, sdk.TypeExecute)) // what follows is in another run
	hangs := talk.send(99, sdk.TypeExecute)
	waits, cancelled := talk.send(2, sdk.TypeExecute), talk.send(3, sdk.TypeAnalyze)
	s.eventually("the turn of the one that hangs", patience, func() error {
		task, err := e.LookTask(t.Context(), s.project, hangs)
		if err == nil && task.Status != sdk.StatusRunning {
			err = fmt.Errorf("it is %s", task.Status)
		}
		return err
	})
	fresh := newEngine(t, s.stack) // which has sent nothing
	for _, reader := range []*engine.Engine{e, fresh} {
		task, err := reader.GetTask(t.Context(), s.project, waits)
		if err != nil || task.Status != sdk.StatusQueued || task.WaitingFor == nil || task.WaitingFor.Reason != sdk.WaitingBehind || task.Title != "task 2" {
			t.Errorf("%+v %v", task, err)
		}
	}
	if _, err := fresh.GetTask(t.Context(), s.project, workflows.SessionTaskID("s1", "never")); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("one that was never sent: %v", err)
	}
	if items, stale, err := fresh.ListProgress(t.Context(), s.project, waits); err != nil || stale || len(items) > 0 {
		t.Errorf("its progress: %v %t %v", items, stale, err)
	}
	if task, accepted, err := fresh.CancelTask(t.Context(), s.project, cancelled, "not needed"); err != nil || !accepted || task.ID != cancelled {
		t.Errorf("%+v %t %v", task, accepted, err)
	}
	if task := talk.ends(cancelled); task.Status != sdk.StatusCancelled || task.Result.Error.Message != "not needed" || task.Role != sdk.RoleCoordinator {
		t.Errorf("%+v", task)
	}
	if now, err := fresh.GetSession(t.Context(), s.project, "s1"); err != nil || now.Stale || now.CurrentTaskID != hangs || now.QueuedTasks != 1 || now.FailedTasks != 1 {
		t.Errorf("%+v %v", now, err)
	}
	session := talk.closes()
	if session.CompletedTasks != 1 || session.FailedTasks != 3 {
		t.Errorf("%+v", session)
	}
	for _, id := range []string{hangs, waits} {
		if task := talk.ends(id); task.Status != sdk.StatusCancelled || task.Result.Error.Message != "the session was closed" {
			t.Errorf("%+v", task)
		}
	}
}

// TestSessionsOfAClient are listed, counted and closed together.
func TestSessionsOfAClient(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	e := newEngine(t, s.stack)
	for _, id := range []string{"s1", "s2", "s3"} {
		s.open(e, id, func(in *workflows.SessionInput) {
			if id != "s3" {
				in.Config.ClientID = "editor"
			}
		})
	}
	if _, replayed, err := e.OpenSession(t.Context(), workflows.SessionInput{Project: s.project, ID: "s1"}, "digest"); err != nil || !replayed {
		t.Errorf("the same again: %t %v", replayed, err)
	}
	if _, _, err := e.OpenSession(t.Context(), workflows.SessionInput{Project: s.project, ID: "s1"}, "another"); !errors.Is(err, sdk.ErrIdempotencyMismatch) {
		t.Errorf("another with the same key: %v", err)
	}
	var stats sdk.SessionStats
	s.eventually("three open sessions", patience, func() (err error) {
		stats, err = e.SessionStats(t.Context(), s.project)
		if err == nil && stats.TotalSessions != 3 {
			err = fmt.Errorf("%+v", stats)
		}
		return err
	})
	if d := cmp.Diff(sdk.SessionStats{TotalSessions: 3, ActiveClients: 1, SessionsByClient: map[string]int{"editor": 2}}, stats); d != "" {
		t.Error(d)
	}
	if closed, err := e.CloseClientSessions(t.Context(), s.project, "editor"); err != nil || closed != 2 {
		t.Errorf("closed %d, %v", closed, err)
	}
	s.eventually("one open session", patience, func() error {
		page, err := e.ListSessions(t.Context(), s.project, sdk.SessionFilter{Status: sdk.SessionOpen}, "")
		if err == nil && (len(page.Items) != 1 || page.Items[0].ID != "s3") {
			err = fmt.Errorf("%+v", page.Items)
		}
		return err
	})
	if _, err := e.GetSession(t.Context(), s.project, "none"); !errors.Is(err, sdk.ErrNotFound) {
		t.Error(err)
	}
	if _, err := e.CloseSession(t.Context(), s.project, "none"); !errors.Is(err, sdk.ErrNotFound) {
		t.Error(err)
	}
	if _, _, err := e.SendTask(t.Context(), s.project, "none", (&talks{scene: s, session: "none"}).asking(1, sdk.TypeExecute)); !errors.Is(err, sdk.ErrNotFound) {
		t.Error(err)
	}
}
