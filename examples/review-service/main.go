// Command review-service is the service of the README of @codmir/events-sdk, on rolecall: it has every piece of code reviewed that an agent has
// written, and does the reviews. Start as many as you like; they share the work. docs/from-codmir.md puts the two side by side.
//
//	EVENTS_SERVICE_URL=http://127.0.0.1:3009 review-service
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/rolecall-dev/rolecall/sdk"
)

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "review-service:", err)
		os.Exit(1)
	}
}

func start() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := sdk.FromEnv()
	if err != nil {
		return err
	}
	return run(ctx, client, os.Stdout)
}

// run registers the reviewer, reacts to events and does tasks, until ctx ends; what it has in hand then may go on for 30 s.
func run(ctx context.Context, client *sdk.Client, out io.Writer) error {
	s := reviews{client: client, log: slog.New(slog.NewTextHandler(out, nil))}
	svc := sdk.NewService(client, "review-service",
		sdk.ServeTasks(sdk.WorkerConfig{
			Name:         "Review Agent",
			Roles:        []sdk.Role{sdk.RoleReviewer},
			Capabilities: []string{"code-review", "security-audit"},
			Addressable:  true, // so that tasks can ask for its capabilities
			Logger:       s.log,
		}),
		sdk.OnFailure(func(_ *sdk.Delivery, err error) { s.log.Warn("it is tried again", "error", err) }),
	)
	svc.OnEvent("code.generated", s.codeGenerated)
	svc.OnTask(sdk.TypeCodeReview, sdk.HandlerFunc(s.review))
	return svc.Run(ctx)
}

// reviews is the service.
type reviews struct {
	client *sdk.Client
	log    *slog.Logger
}

// codeGenerated has a task's code reviewed. An event can come twice: the idempotency key makes that one review.
func (s reviews) codeGenerated(ctx context.Context, e *sdk.Event) error {
	var done sdk.CodeDone
	if err := json.Unmarshal(e.Data, &done); err != nil || !sdk.ValidID(done.TaskID) {
		s.log.Info("the event is of no task; nothing is reviewed", "event", e.ID)
		return nil // a program published it; it will be the same the next time
	}
	task, err := s.client.DelegateToRole(ctx, sdk.RoleReviewer, sdk.TypeCodeReview, "Review what task "+done.TaskID+" has written",
		sdk.Input(map[string]string{"taskId": done.TaskID}),
		sdk.Correlation(done.TaskID),
		sdk.IdempotencyKey("review-"+e.ID),
	)
	if err != nil {
		return err // the event comes again
	}
	s.log.Info("a review is asked for", "task", task.ID, "of", done.TaskID)
	return nil
}

// review does one attempt at a review.
func (s reviews) review(ctx context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
	code, err := s.code(ctx, a.Task.Input)
	if err != nil {
		return nil, err
	}
	r.Progress(sdk.Progress{Percentage: 50, Message: "Reviewing..."})
	comments := read(code)
	output, err := json.Marshal(map[string]any{"approved": len(comments) == 0, "comments": comments})
	if err != nil {
		return nil, err
	}
	return &sdk.Result{Output: output}, nil
}

// code is what is to be reviewed: the input's own code, or what the task has written that the input names.
func (s reviews) code(ctx context.Context, raw json.RawMessage) (string, error) {
	var input struct {
		Code   string `json:"code"`
		TaskID string `json:"taskId"`
	}
	if err := json.Unmarshal(raw, &input); err != nil {
		return "", sdk.Final(sdk.CodeInvalidInput, fmt.Errorf("the task's input must be {code} or {taskId}: %w", err))
	}
	if input.Code == "" && input.TaskID != "" {
		task, err := s.client.GetTask(ctx, input.TaskID)
		switch {
		case errors.Is(err, sdk.ErrNotFound), errors.Is(err, sdk.ErrInvalidInput):
			return "", sdk.Final(sdk.CodeInvalidInput, err)
		case err != nil:
			return "", err // another attempt follows
		case task.Result == nil || json.Unmarshal(task.Result.Output, &input) != nil:
			return "", sdk.Final(sdk.CodeInvalidInput, fmt.Errorf("task %s has no output with code", task.ID))
		}
	}
	if input.Code == "" {
		return "", sdk.Final(sdk.CodeInvalidInput, errors.New("there is no code to review: the task's input must be {code} or {taskId}"))
	}
	return input.Code, nil
}

// read stands in for a model: it answers what is wrong with some lines.
func read(code string) []string {
	comments, n := []string{}, 0
	for line := range strings.Lines(code) {
		n++
		if strings.Contains(line, "TODO") {
			comments = append(comments, fmt.Sprintf("line %d: something is left to do", n))
		}
		if strings.Contains(line, "eval(") {
			comments = append(comments, fmt.Sprintf("line %d: this runs whatever it is given", n))
		}
	}
	return comments
}
