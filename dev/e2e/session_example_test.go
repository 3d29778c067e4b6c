package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/modelserver"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestSessionExample runs examples/session as a program of its own, against an agent that reports progress and passes its quality gates: what it
// prints is what the stream told, and the stream has every event with every field.
func TestSessionExample(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{Roles: []sdk.Role{sdk.RoleCoordinator}})
	steps := script{"0.1": {"fail:flaky:retryable"}, "*": {
		`report:{"percentage":50,"phase":"Processing","category":"message","message":"reading"}`,
		`whole:{"output":"All is well","qualityGatePassed":true}`,
	}}
	out := s.runsExample(s.told(steps))
	session, task := s.heldBy(out)
	events := session.wantStream(
		session.began(sdk.TierHybrid, "ollama", "claude-sonnet-4"),
		started(task, s.told(steps), sdk.PriorityMedium),
		of(task, sdk.TaskErrorEvent, sdk.SessionPayload{Error: "as the script says", Operation: "sendTask(validate)", Attempt: 1, MaxAttempts: 3, ErrorCount: 1}),
		of(task, sdk.TaskProgressEvent, sdk.SessionPayload{
			Category: "message", Message: "reading", Progress: &sdk.SessionProgress{Phase: "Processing", Percentage: 50},
		}),
		of(task, sdk.TaskCompleteEvent, sdk.SessionPayload{}),
		session.ended(),
	)
	if t.Failed() {
		return
	}
	want := []string{
		"Session started: " + session.ID(), "Task started: validate", "Task error: as the script says", "[50%] Processing",
		fmt.Sprintf("Task completed in %d ms", events[4].Payload.Duration), "Result: All is well", "Quality gates: true", "The last progress was 50%", "Session closed",
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(out), "\n")); diff != "" {
		t.Errorf("what it printed (-want +got):\n%s", diff)
	}
}

// runsExample runs examples/session to its end, and answers what it printed.
func (s *scene) runsExample(prompt string) string {
	s.t.Helper()
	path, err := dev.Build(s.t.Context(), dev.ExampleSession)
	s.do(err)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, prompt)
	cmd.Env = []string{"EVENTS_SERVICE_URL=" + s.stack.URL(), "PROJECT_ID=" + s.project}
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// heldBy is the session that the example held, as it printed it, and its one task.
func (s *scene) heldBy(out string) (talk, *sdk.Task) {
	s.t.Helper()
	found := regexp.MustCompile(`Session started: (\S+)`).FindStringSubmatch(out)
	if found == nil {
		s.t.Fatalf("it printed:\n%s", out)
	}
	held, err := s.client.Session(s.t.Context(), found[1])
	s.do(err)
	var task *sdk.Task
	s.eventually("the session's one task in the list", patience, func() error { // which follows what happens
		page, err := s.client.ListTasks(s.t.Context(), sdk.TaskFilter{SessionID: held.ID()}, "")
		if err != nil {
			return err
		}
		if len(page.Items) != 1 {
			return fmt.Errorf("it has %d", len(page.Items))
		}
		task, err = s.client.GetTask(s.t.Context(), page.Items[0].ID)
		return err
	})
	return talk{s, held}, task
}

// TestSessionOfPi holds a session with the pi coding agent, as it was recorded: it fails twice, then works. What its answer says beside the text
// is in the result, and is kept for the next task.
func TestSessionOfPi(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.piWorker("pi", "http500", "http500", "write")
	session := s.opens(func(c *sdk.SessionConfig) { c.QualityGates = true })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const prompt = "Add input validation to the forms"
	result, err := session.SendTask(ctx, sdk.TypeExecute, prompt)
	s.do(err)
	task, err := s.client.GetTask(t.Context(), result.TaskID)
	s.do(err)
	wantChain(t, task, "0.1 failed", "0.2 failed", "0.3 completed")
	wantPiAnswer(t, task)
	s.wantPiWasTold(3, "[Coder Mode — Focus on implementation, correctness, and code quality.]\n"+
		"Check the result against the quality gates, and reflect on the work: say which gates passed, what was learnt and what is to follow.\n\nTask: "+prompt+"\n")
	if result.Text() != piAnswer || result.QualityGatePassed == nil || !*result.QualityGatePassed || result.Degraded || result.Reflection == nil ||
		!cmp.Equal(*result.Reflection, sdk.Reflection{Lessons: []string{"Keep inputs validated"}, FollowUps: []string{"add tests for ep-041x"}}) {
		t.Errorf("the result is %+v", result)
	}
	now := session.isNow("what was learnt", func(s *sdk.Session) bool { return s.CompletedTasks == 1 })
	if diff := cmp.Diff([][]string{{"Keep inputs validated"}, {"add tests for ep-041x"}, {"ep-041x"}}, [][]string{now.Lessons, now.FollowUps, now.EpisodeRefs}); diff != "" {
		t.Error(diff)
	}
	session.closes()
	told := &reports{t: t, attempts: [][]sdk.Progress{piFails(), piFails(), piWrites()}}
	failed := func(n int) sdk.SessionEvent {
		return of(task, sdk.TaskErrorEvent, sdk.SessionPayload{
			Error: "500 scripted failure", Operation: "sendTask(execute)", Attempt: n, MaxAttempts: 3, ErrorCount: n,
		})
	}
	session.wantBut(told.besides,
		session.began(sdk.TierFree, "ollama", "ollama"), started(task, prompt, sdk.PriorityMedium), failed(1), failed(2),
		of(task, sdk.TaskCompleteEvent, sdk.SessionPayload{}), session.ended(),
	)
}

// TestSessionOfAModel holds a session with a model behind an OpenAI-compatible endpoint: it fails twice, then works; from then on it never does, and
// that of the tier below does the task.
func TestSessionOfAModel(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	overloaded := modelserver.Answer{Status: http.StatusServiceUnavailable, Text: "overloaded"}
	server := s.modelWorker(modelserver.Models{
		"claude-sonnet-4": {overloaded, overloaded, {Text: "Done. Quality gate: passed.", Input: 7, Output: 1}, overloaded},
		"small":           {{Text: "It is done.", Input: 3, Output: 2}},
	})
	session := s.opens(func(c *sdk.SessionConfig) { c.CostTier = sdk.TierHybrid })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	prompts := []string{"Add input validation to the forms", "Add a login page"}
	var tasks []*sdk.Task
	for _, prompt := range prompts {
		result, err := session.SendTask(ctx, sdk.TypeExecute, prompt)
		s.do(err)
		task, err := s.client.GetTask(t.Context(), result.TaskID)
		s.do(err)
		tasks = append(tasks, task)
		if gate := result.QualityGatePassed; (gate != nil && *gate) != strings.Contains(result.Text(), "gate: passed") {
			t.Errorf("the gate of %q is %v", result.Text(), gate)
		}
	}
	wantChain(t, tasks[0], "0.1 failed", "0.2 failed", "0.3 completed")
	wantModelAnswer(t, tasks[0], "Done. Quality gate: passed.", "claude-sonnet-4", 8)
	wantChain(t, tasks[1], "0.1 failed", "0.2 failed", "0.3 failed", "1.1 completed")
	wantModelAnswer(t, tasks[1], "It is done.", "small", 5)
	session.closes()
	var asked []string
	for _, r := range server.Requests() {
		asked = append(asked, r.Model)
	}
	if got := strings.Join(asked, " "); got != strings.Repeat("claude-sonnet-4 ", 6)+"small" {
		t.Errorf("asked for %s", got)
	}
	said := server.Requests()[0].Messages
	if text := said[len(said)-1].Text(); !strings.Contains(text, "Task: "+prompts[0]) {
		t.Errorf("the model was told %q", text)
	}
	broken := []sdk.Progress{thinking()}
	told := &reports{t: t, attempts: [][]sdk.Progress{
		broken, broken, append([]sdk.Progress{thinking()}, spoken("Done. ", "Quality ", "gate: ", "passed.")...),
		broken, broken, broken, append([]sdk.Progress{thinking()}, spoken("It ", "is ", "done.")...),
	}}
	failed := func(task *sdk.Task, n int) sdk.SessionEvent {
		return of(task, sdk.TaskErrorEvent, sdk.SessionPayload{
			Error: "503 overloaded", Operation: "sendTask(execute)", Attempt: n, MaxAttempts: 3, ErrorCount: n,
		})
	}
	session.wantBut(told.besides,
		session.began(sdk.TierHybrid, "ollama", "claude-sonnet-4"),
		started(tasks[0], prompts[0], sdk.PriorityMedium), failed(tasks[0], 1), failed(tasks[0], 2), of(tasks[0], sdk.TaskCompleteEvent, sdk.SessionPayload{}),
		started(tasks[1], prompts[1], sdk.PriorityMedium), failed(tasks[1], 1), failed(tasks[1], 2),
		of(tasks[1], sdk.TaskErrorEvent, sdk.SessionPayload{Error: "503 overloaded", Fallback: true}),
		of(tasks[1], sdk.TaskCompleteEvent, sdk.SessionPayload{Degraded: true}),
		session.ended(),
	)
}
