package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// exampleService stands in for a running service: it completes what it is given.
func exampleService() *httptest.Server {
	task := sdk.Task{
		ID: "t1", Type: sdk.TypeCodeWrite, Role: sdk.RoleCoder, Title: "Add a retry to the uploader", Status: sdk.StatusCompleted,
		Progress: &sdk.Progress{Percentage: 100, Message: "3 files changed", At: time.Unix(1, 0), Overall: 100},
		Result:   &sdk.Result{Status: sdk.StatusCompleted, Output: json.RawMessage(`{"files":3}`)},
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer any = task
		if r.URL.Path == "/v1/tasks/t1/progress" {
			answer = map[string]any{"items": []sdk.Progress{*task.Progress}}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			log.Print(err)
		}
	}))
}

func ExampleClient_RequestCode() {
	service := exampleService()
	defer service.Close()
	client, err := sdk.NewClient(sdk.Config{URL: service.URL}) // or sdk.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()

	task, err := client.RequestCode(ctx, "Add a retry to the uploader", sdk.Input(map[string]any{"repo": "uploader"}))
	if err != nil {
		log.Fatal(err)
	}
	done, err := client.WaitForTask(ctx, task.ID)
	if err != nil {
		log.Fatal(err) // nobody answered within the hour
	}
	if err := done.Err(); err != nil {
		log.Fatal(err) // the task failed or was cancelled
	}
	fmt.Println(done.Status, string(done.Result.Output))
	// Output: completed {"files":3}
}

func ExampleClient_DelegateToRole() {
	service := exampleService()
	defer service.Close()
	client, err := sdk.NewClient(sdk.Config{URL: service.URL})
	if err != nil {
		log.Fatal(err)
	}
	task, err := client.DelegateToRole(context.Background(), sdk.RoleReviewer, sdk.TypeCodeReview, "Review the uploader",
		sdk.WithPriority(sdk.PriorityHigh),
		sdk.WithTimeouts(sdk.Timeouts{QueueMs: 60_000, AttemptMs: 600_000}),
		sdk.WithFallback(sdk.Stage{Role: sdk.RoleCoder}),
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(task.ID)
	// Output: t1
}

func ExampleClient_FollowTask() {
	service := exampleService()
	defer service.Close()
	client, err := sdk.NewClient(sdk.Config{URL: service.URL})
	if err != nil {
		log.Fatal(err)
	}
	for progress, err := range client.FollowTask(context.Background(), "t1") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%3.0f %% %s\n", progress.Percentage, progress.Message)
	}
	// Output: 100 % 3 files changed
}

// Every wrong field is named at once, before anything is sent.
func ExampleError() {
	client, err := sdk.NewClient(sdk.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.DelegateToRole(context.Background(), "", "art.paint", "", sdk.WithPriority("asap"))
	if e, ok := errors.AsType[*sdk.Error](err); ok && errors.Is(err, sdk.ErrInvalidInput) {
		for _, fault := range e.Faults {
			fmt.Println(fault.Path, fault.Message)
		}
	}
	// Output:
	// $.role is required: "art.paint" is not a built-in type and has no default role
	// $.title is required
	// $.priority must be low, medium (or normal), high or critical (or urgent)
}

// A handler is an agent: it reports progress, keeps what the next attempt needs, and answers.
func ExampleHandlerFunc() {
	handler := sdk.HandlerFunc(func(_ context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
		if a.Task.Type != sdk.TypeCodeWrite {
			return nil, sdk.Final("", fmt.Errorf("this agent does not do %s", a.Task.Type))
		}
		r.Progress(sdk.Progress{Percentage: 50, Message: "half of it"})
		return &sdk.Result{Output: json.RawMessage(`{"files":1}`)}, nil
	})
	fmt.Printf("%T\n", handler)
	// Output: sdk.HandlerFunc
}

// A service reacts to events; instances of the same name share the work, and what happens while none runs is waiting for the next.
func ExampleService() {
	client, err := sdk.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	svc := sdk.NewService(client, "reviews", sdk.Concurrency(4), sdk.StartFrom("beginning"))
	svc.OnEvent("code.generated", func(ctx context.Context, e *sdk.Event) error {
		_, err := client.DelegateToRole(ctx, sdk.RoleReviewer, sdk.TypeCodeReview, "Review task "+e.Task,
			sdk.Input(e.Data), sdk.IdempotencyKey("review-"+e.ID)) // an event can come more than once
		return err // gives the event back, to be tried again
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := svc.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// A follower gets every event that it chooses, over cuts and restarts of the service.
func ExampleClient_Subscribe() {
	client, err := sdk.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	failures := sdk.EventFilter{Types: sdk.EventPatterns{"task.failed"}, Since: time.Now().Add(-time.Hour)}
	for e, err := range client.Subscribe(context.Background(), failures) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Sequence, e.Task)
	}
}
