package main

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// serve runs the service until the end of the test. It has everything that the log has from its beginning.
func serve(t *testing.T, client *sdk.Client) {
	t.Helper()
	from := sdk.SubscriptionRequest{Types: sdk.EventPatterns{"code.generated"}, From: "beginning"}
	if _, err := client.Durable("review-service").Put(t.Context(), from); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, client, &log) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
}

// TestCodeIsReviewed: what a task has written is reviewed once; what a program says that nobody has written is not.
func TestCodeIsReviewed(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	client := srv.Client()
	serve(t, client)
	if _, err := client.Publish(t.Context(),
		sdk.EventRequest{Type: sdk.EventCodeGenerated, Data: json.RawMessage(`{"files":["src/index.ts"],"linesAdded":50}`)},
		sdk.EventRequest{Type: sdk.EventCodeGenerated},
	); err != nil {
		t.Fatal(err)
	}
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Complete(map[string]string{"code": "login()\n// TODO logout\neval(it)\n"})))
	code, err := client.RequestCode(t.Context(), "Implement user authentication")
	if err != nil {
		t.Fatal(err)
	}
	review := srv.AwaitTasks(1, sdk.TaskFilter{Type: sdk.TypeCodeReview})[0]
	if review.CorrelationID != code.ID || review.Role != sdk.RoleReviewer || string(review.Input) != `{"taskId":"`+code.ID+`"}` {
		t.Errorf("the review is %+v", review)
	}
	done := wait(t, client, review.ID)
	want := `{"approved":false,"comments":["line 2: something is left to do","line 3: this runs whatever it is given"]}`
	if done.Status != sdk.StatusCompleted || string(done.Result.Output) != want {
		t.Errorf("the review is %s: %s", done.Status, done.Result.Output)
	}
	if list := srv.Tasks(); len(list) != 2 {
		t.Errorf("there are %d tasks", len(list))
	}
}

// TestReviews are tasks that somebody else hands out.
func TestReviews(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	client := srv.Client()
	serve(t, client)
	srv.Agent(sdk.RoleTester, sdktest.Script(sdktest.Attempt().Complete("no code")))
	tested, err := client.DelegateToRole(t.Context(), sdk.RoleTester, sdk.TypeCodeTest, "Test")
	if err != nil {
		t.Fatal(err)
	}
	wait(t, client, tested.ID)
	for _, tc := range []struct {
		name   string
		input  any
		output string // "": it is refused
	}{
		{"good code", map[string]string{"code": "login()"}, `{"approved":true,"comments":[]}`},
		{"no code", map[string]string{"code": ""}, ""},
		{"nothing", nil, ""},
		{"no object", "login()", ""},
		{"an unknown task", map[string]string{"taskId": "unknown"}, ""},
		{"no id", map[string]string{"taskId": "../x"}, ""},
		{"a task without code", map[string]string{"taskId": tested.ID}, ""},
	} {
		task, err := client.DelegateToRole(t.Context(), sdk.RoleReviewer, sdk.TypeCodeReview, tc.name, sdk.Input(tc.input))
		if err != nil {
			t.Fatal(err)
		}
		done := wait(t, client, task.ID)
		switch {
		case tc.output != "":
			if diff := cmp.Diff(tc.output, string(done.Result.Output)); diff != "" || done.Status != sdk.StatusCompleted {
				t.Errorf("%s: %s %s", tc.name, done.Status, diff)
			}
		case done.Status != sdk.StatusFailed || done.Result.Error.Code != sdk.CodeInvalidInput || len(done.Attempts) != 1:
			t.Errorf("%s: %s %+v", tc.name, done.Status, done.Result)
		}
	}
}

// TestReviewerIsRegistered, and says that it goes.
func TestReviewerIsRegistered(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	client := srv.Client()
	t.Cleanup(func() {
		for a, err := range client.Agents(context.WithoutCancel(t.Context()), sdk.AgentFilter{}) {
			if err != nil || a.Status != sdk.AgentOffline {
				t.Errorf("afterwards it is %+v, %v", a, err)
			}
		}
	})
	serve(t, client)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for e, err := range client.Subscribe(ctx, sdk.EventFilter{FromStart: true, Types: sdk.EventPatterns{"agent.registered"}}) {
		if err != nil {
			t.Fatal(err)
		}
		var agent sdk.AgentRegistered
		if err := json.Unmarshal(e.Data, &agent); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"code-review", "security-audit"}, agent.Capabilities); diff != "" || agent.Name != "Review Agent" || agent.Role != sdk.RoleReviewer {
			t.Errorf("registered as %s", e.Data)
		}
		break
	}
}

// wait answers a task when it has ended.
func wait(t *testing.T, client *sdk.Client, id string) *sdk.Task {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	done, err := client.WaitForTask(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return done
}
