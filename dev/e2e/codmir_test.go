package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestProgramsFromCodmir runs the three programs of docs/from-codmir.md against the real service: the coder writes, the review service reviews what was
// written because it was, and once more because the coordinator asks for it; all three are in the registry meanwhile, and end when they are told to.
func TestProgramsFromCodmir(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	ctx := t.Context()
	programs := s.codmirPrograms()
	coder := s.program(programs, "coder", "coder-1")
	reviewer := s.program(programs, "review-service", "reviewer-1")
	s.agentIs(s.client, "coder-1", func(a *sdk.Agent) bool {
		return a.Name == "Coder AI" && a.Status == sdk.AgentIdle && a.Polling && slices.Contains(a.Capabilities, "typescript")
	})
	s.agentIs(s.client, "reviewer-1", func(a *sdk.Agent) bool {
		return a.Name == "Review Agent" && a.Status == sdk.AgentIdle && a.Polling && slices.Contains(a.Capabilities, "security-audit")
	})
	s.eventually("the review service follows events", patience, func() error {
		_, err := s.client.Durable("review-service").Get(ctx)
		return err
	})

	coordinator := s.program(programs, "coordinator", "lead")
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.do(coordinator.Wait(waiting))
	for _, want := range []string{`Code written: {"code":`, `"filesCreated":["src/auth/login.ts"]`, `Reviewed: {"approved":true,"comments":[]}`} {
		if !strings.Contains(coordinator.LogTail(20), want) {
			t.Errorf("the coordinator does not say %q:\n%s", want, coordinator.LogTail(20))
		}
	}
	s.agentIs(s.client, "lead", func(a *sdk.Agent) bool {
		return a.Name == "Task Coordinator" && a.Role == sdk.RoleCoordinator && a.Status == sdk.AgentOffline
	})

	written := s.allCompleted("code.write", 1)[0]
	if written.AgentID != "coder-1" || written.Priority != sdk.PriorityHigh || written.Result.Metrics.TokensUsed == nil {
		t.Errorf("the code is of %q, asked for with priority %s, and cost %+v", written.AgentID, written.Priority, written.Result.Metrics)
	}
	var asked, reacted int
	for _, review := range s.allCompleted("code.review", 2) {
		if string(review.Result.Output) != `{"approved":true,"comments":[]}` || review.AgentID != "reviewer-1" || review.CorrelationID != written.ID {
			t.Errorf("the review %q is %s by %q of %q", review.Title, review.Result.Output, review.AgentID, review.CorrelationID)
		}
		var input struct{ Code, TaskID string }
		s.do(json.Unmarshal(review.Input, &input))
		switch {
		case strings.Contains(input.Code, "function login("):
			asked++
		case input.TaskID == written.ID:
			reacted++
		}
	}
	if asked != 1 || reacted != 1 {
		t.Errorf("%d reviews were asked for by the coordinator, %d by the event", asked, reacted)
	}
	s.do(coder.Stop(ctx))
	s.do(reviewer.Stop(ctx))
	for _, id := range []string{"coder-1", "reviewer-1"} {
		s.agentIs(s.client, id, func(a *sdk.Agent) bool { return a.Status == sdk.AgentOffline })
	}
}

// codmirPrograms builds the three programs, and answers their folder.
func (s *scene) codmirPrograms() string {
	s.t.Helper()
	root, err := dev.Root()
	s.do(err)
	dir := s.t.TempDir()
	build := exec.CommandContext(s.t.Context(), "go", "build", "-o", dir+string(filepath.Separator),
		"./examples/coordinator", "./examples/coder", "./examples/review-service")
	build.Dir = root
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// program starts a program of the folder as an agent of the scene's project. It is killed at the end of the test.
func (s *scene) program(dir, name, agentID string) *dev.Process {
	s.t.Helper()
	p, err := s.stack.Start(s.t.Context(), dev.Command{
		Name: s.project + "-" + name, Path: filepath.Join(dir, name), Env: []string{"PROJECT_ID=" + s.project, "AGENT_ID=" + agentID},
	})
	s.do(err)
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", name, p.LogTail(40))
		}
		_ = p.Kill() // it may have ended
	})
	return p
}

// allCompleted waits until so many tasks of a type have completed, and answers them.
func (s *scene) allCompleted(kind sdk.TaskType, n int) (list []*sdk.Task) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%d tasks %s", n, kind), patience, func() error {
		list = nil
		for summary, err := range s.client.Tasks(s.t.Context(), sdk.TaskFilter{Type: kind}) {
			if err != nil {
				return err
			}
			task, err := s.client.GetTask(s.t.Context(), summary.ID)
			if err != nil {
				return err
			}
			if task.Status != sdk.StatusCompleted {
				return errors.New("one is " + string(task.Status))
			}
			list = append(list, task)
		}
		if len(list) != n {
			return fmt.Errorf("there are %d", len(list))
		}
		return nil
	})
	return list
}
