package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// TestCoder: it registers, does what it is given and what asks for its capabilities, refuses what it can not do, and says that it goes.
func TestCoder(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	client, err := sdk.NewClient(sdk.Config{URL: srv.URL(), AgentID: "coder-1"})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, client, &log) }()

	registered(t, client)
	agent, err := client.Agent(t.Context(), "coder-1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"typescript", "nodejs", "react", "nextjs"}, agent.Capabilities); diff != "" || agent.Name != "Coder AI" || agent.Role != sdk.RoleCoder || !agent.Addressable {
		t.Errorf("registered as %+v: %s", agent, diff)
	}

	request := sdk.Input(map[string]any{"spec": "Use bcrypt", "files": []string{"src/auth/", "src/session.ts"}})
	done := doneTask(t, client, "Implement user authentication", request)
	if done.Status != sdk.StatusCompleted || done.AgentID != "coder-1" {
		t.Fatalf("the task is %s by %q: %+v", done.Status, done.AgentID, done.Result)
	}
	var output struct {
		Code         string
		FilesCreated []string
	}
	if err := json.Unmarshal(done.Result.Output, &output); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"src/auth/login.ts", "src/session.ts"}, output.FilesCreated); diff != "" {
		t.Error(diff)
	}
	if strings.Count(output.Code, "Use bcrypt") != 2 || !strings.Contains(output.Code, "function login(") {
		t.Errorf("the code is %s", output.Code)
	}
	if n := done.Result.Metrics.TokensUsed; n == nil || *n == 0 {
		t.Errorf("it spent %v tokens", n)
	}
	if p := done.Progress; p == nil || p.Percentage != 50 || p.Message != "Generating code..." {
		t.Errorf("its progress was %+v", p)
	}

	if done := doneTask(t, client, "A component", request, sdk.Needs("react", "typescript")); done.Status != sdk.StatusCompleted {
		t.Errorf("what needs its capabilities is %s: %+v", done.Status, done.Result)
	}
	for what, wrong := range map[string]any{"no files": map[string]string{"spec": "x"}, "no object": "write it"} {
		if done := doneTask(t, client, what, sdk.Input(wrong)); done.Status != sdk.StatusFailed || done.Result.Error.Code != sdk.CodeInvalidInput || len(done.Attempts) != 1 {
			t.Errorf("%s: %s, %+v", what, done.Status, done.Result.Error)
		}
	}

	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if agent, err := client.Agent(t.Context(), "coder-1"); err != nil || agent.Status != sdk.AgentOffline {
		t.Errorf("afterwards it is %+v, %v", agent, err)
	}
	if !strings.Contains(log.String(), `title="Implement user authentication"`) {
		t.Errorf("it said nothing of the task:\n%s", &log)
	}
}

// registered waits for the event that the coder is registered.
func registered(t *testing.T, client *sdk.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, err := range client.Subscribe(ctx, sdk.EventFilter{FromStart: true, Types: sdk.EventPatterns{"agent.registered"}}) {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
}

// doneTask hands out a task and answers it when it has ended.
func doneTask(t *testing.T, client *sdk.Client, title string, opts ...sdk.TaskOption) *sdk.Task {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	task, err := client.RequestCode(ctx, title, opts...)
	if err != nil {
		t.Fatal(err)
	}
	done, err := client.WaitForTask(ctx, task.ID)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// TestCoderStops: the end of an attempt's context is the end of the work.
func TestCoderStops(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancelCause(t.Context())
	stop(sdk.ErrCancelRequested)
	if _, _, err := generate(ctx, "x", input{Files: []string{"a.ts"}}); !errors.Is(err, sdk.ErrCancelRequested) {
		t.Errorf("%v", err)
	}
}
