package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// ship is a coordinator: it has something written and reviewed.
func ship(ctx context.Context, client *sdk.Client, title string) (string, error) {
	for _, step := range []sdk.TaskType{sdk.TypeCodeWrite, sdk.TypeCodeReview} {
		task, err := client.DelegateToRole(ctx, "", step, title)
		if err != nil {
			return "", err
		}
		if task, err = client.WaitForTask(ctx, task.ID); err != nil {
			return "", err
		}
		if task.Err() != nil {
			return "", fmt.Errorf("%s: %w", step, task.Err())
		}
	}
	return "shipped", nil
}

// A coordinator is tested against agents that do as they are told, and a clock that the test moves.
func Example() {
	t := &exampleTB{}
	defer t.end()
	srv := sdktest.New(t)
	coder := srv.Agent(sdk.RoleCoder, sdktest.Script(
		sdktest.Attempt().Resume("half of it").Fail(errors.New("the build is red")),
		sdktest.Attempt().Progress(90, "testing").Complete("a login page"),
	))
	srv.Agent(sdk.RoleReviewer, sdktest.Script(sdktest.Attempt().Work(time.Hour/2).Complete("good")))

	outcome := make(chan string)
	go func() {
		result, err := ship(context.Background(), srv.Client(), "Add a login page")
		outcome <- fmt.Sprint(result, " ", err)
	}()

	srv.AwaitTasks(1, sdk.TaskFilter{Type: sdk.TypeCodeWrite})
	srv.Clock().Advance(time.Second) // the pause after the first failure
	srv.AwaitTasks(1, sdk.TaskFilter{Type: sdk.TypeCodeReview})
	srv.Clock().Advance(time.Hour / 2)
	fmt.Println(<-outcome)
	fmt.Printf("the second attempt went on from %s\n", coder.Given()[1].Resume)
	// Output:
	// shipped <nil>
	// the second attempt went on from "half of it"
}

// A plan runs against the same agents: what one answers is the input of the next.
func Example_plan() {
	t := &exampleTB{}
	defer t.end()
	ctx, srv := context.Background(), sdktest.New(t)
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Work(time.Hour/2).Complete("a login page")))
	reviewer := srv.Agent(sdk.RoleReviewer, sdktest.Script(sdktest.Attempt().Complete("good")))

	plan, err := srv.Client().CreatePlan(ctx, sdk.PlanRequest{
		Title: "Ship a login page",
		Steps: []sdk.PlanStep{
			{ID: "write", Type: sdk.TypeCodeWrite, Title: "Add a login page"},
			{ID: "review", Type: sdk.TypeCodeReview, Title: "Review it", Needs: []string{"write"}, Input: json.RawMessage(`{"of":"${{ steps.write.output }}"}`)},
		},
	})
	if err != nil {
		t.Fatalf("create the plan: %v", err)
	}
	srv.Clock().Advance(time.Hour / 2)
	done := srv.AwaitPlan(plan.ID, func(p sdk.Plan) bool { return p.Status.Terminal() })
	fmt.Println(done.Status, string(reviewer.Given()[0].Task.Input))
	// Output: completed {"of":"a login page"}
}

// A program publishes events, and is called with those of the types that it names.
func Example_events() {
	t := &exampleTB{}
	defer t.end()
	ctx, client := context.Background(), sdktest.New(t).Client()

	received := make(chan *sdk.Event, 1)
	unsubscribe, err := client.SubscribeFunc(ctx, sdk.EventFilter{Types: sdk.EventPatterns{"code.generated", "task.failed"}}, func(e *sdk.Event, err error) {
		if err == nil {
			received <- e
		}
	})
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	defer unsubscribe()
	if _, err := client.Publish(ctx, sdk.EventRequest{
		Type: sdk.EventCodeGenerated,
		Data: json.RawMessage(`{"files":["src/index.ts"],"linesAdded":50}`),
	}); err != nil {
		t.Errorf("publish: %v", err)
	}
	e := <-received
	fmt.Println(e.Type, string(e.Data))
	// Output: code.generated {"files":["src/index.ts"],"linesAdded":50}
}

// exampleTB stands for the *testing.T that a test has.
type exampleTB struct{ ends []func() }

func (t *exampleTB) Helper()                           {}
func (t *exampleTB) Cleanup(f func())                  { t.ends = append(t.ends, f) }
func (t *exampleTB) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (t *exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (t *exampleTB) end() {
	for _, f := range t.ends {
		f()
	}
}
