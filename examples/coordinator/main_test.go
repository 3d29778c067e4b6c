package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// TestCoordinatorDelegates: the code is written, then reviewed, and the registry says of the coordinator what it waits for.
func TestCoordinatorDelegates(t *testing.T) {
	t.Parallel()
	srv, gate := sdktest.New(t), sdktest.NewGate()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Until(gate).Complete(map[string]any{"code": "login()", "filesCreated": []string{"src/auth/login.ts"}})))
	srv.Agent(sdk.RoleReviewer, sdktest.Script(sdktest.Attempt().Complete(map[string]any{"approved": true, "comments": []string{}})))
	client, err := sdk.NewClient(sdk.Config{URL: srv.URL(), AgentID: "lead", HeartbeatIntervalMs: sdk.MinHeartbeatIntervalMs})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() { ended <- run(t.Context(), client, &out) }()

	code := srv.AwaitTasks(1, sdk.TaskFilter{})[0]
	turnsTo(t, client, sdk.AgentBusy)
	lead, err := client.Agent(t.Context(), "lead")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{code.ID}, lead.CurrentTasks); diff != "" || lead.Name != "Task Coordinator" || lead.Role != sdk.RoleCoordinator {
		t.Errorf("registered as %q of role %s: %s", lead.Name, lead.Role, diff)
	}
	if diff := cmp.Diff([]string{"planning", "delegation", "orchestration"}, lead.Capabilities); diff != "" {
		t.Error(diff)
	}
	gate.Open()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	turnsTo(t, client, sdk.AgentOffline)
	tasks := srv.Tasks()
	if len(tasks) != 2 {
		t.Fatalf("it handed out %d tasks", len(tasks))
	}
	asked(t, tasks[0], sdk.Task{
		Type: sdk.TypeCodeWrite, Role: sdk.RoleCoder, Title: "Implement user authentication", Description: "Create login/logout functionality with JWT",
		Priority: sdk.PriorityHigh, Input: json.RawMessage(`{"files":["src/auth/"],"spec":"Use bcrypt for password hashing"}`),
	})
	asked(t, tasks[1], sdk.Task{
		Type: sdk.TypeCodeReview, Role: sdk.RoleReviewer, Title: "Review authentication code",
		Priority: sdk.PriorityMedium, Input: json.RawMessage(`{"code":"login()"}`), CorrelationID: code.ID,
	})
	for _, want := range []string{`Code written: {"code":"login()"`, `Reviewed: {"approved":true,"comments":[]}`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

// asked compares what a task was asked for with.
func asked(t *testing.T, got, want sdk.Task) {
	t.Helper()
	got = sdk.Task{
		Type: got.Type, Role: got.Role, Title: got.Title, Description: got.Description, Priority: got.Priority, Input: got.Input, CorrelationID: got.CorrelationID,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// turnsTo waits for the event that the coordinator has come to be of a status.
func turnsTo(t *testing.T, client *sdk.Client, status sdk.AgentStatus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for e, err := range client.Subscribe(ctx, sdk.EventFilter{FromStart: true, Subject: "agent/lead", Types: sdk.EventPatterns{"agent.status_changed"}}) {
		if err != nil {
			t.Fatalf("until the coordinator is %s: %v", status, err)
		}
		var changed sdk.AgentStatusChanged
		if err := json.Unmarshal(e.Data, &changed); err != nil {
			t.Fatal(err)
		}
		if changed.To == status {
			return
		}
	}
}

// TestCoordinatorSaysWhatFailed: nothing is reviewed then.
func TestCoordinatorSaysWhatFailed(t *testing.T) {
	t.Parallel()
	for says, end := range map[string]*sdktest.AttemptScript{
		"no_idea: what is bcrypt": sdktest.Attempt().Fail(sdk.Final("no_idea", errors.New("what is bcrypt"))),
		"the output of task":      sdktest.Attempt().Complete("done"),
	} {
		srv := sdktest.New(t)
		srv.Agent(sdk.RoleCoder, sdktest.Script(end))
		var out bytes.Buffer
		if err := run(t.Context(), srv.Client(), &out); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
		if n := len(srv.Tasks()); n != 1 {
			t.Errorf("%s: it handed out %d tasks", says, n)
		}
	}
}

// TestCoordinatorSaysWhatItWaitsFor: the task is there for the coder who comes later.
func TestCoordinatorSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := sdktest.New(t)
		var out bytes.Buffer
		c := coordinator{client: srv.Client(), presence: sdk.NewPresence(sdk.PresenceConfig{}), out: &out}
		began := time.Now()
		err := c.coordinate(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "role coder") || time.Since(began) != patience {
			t.Errorf("nobody is there: after %s %v", time.Since(began), err)
		}
		if tasks := srv.Tasks(); len(tasks) != 1 || tasks[0].Status != sdk.StatusQueued {
			t.Errorf("the tasks are %+v", tasks)
		}
	})
}
