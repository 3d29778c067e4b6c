// Command coordinator is the coordinator agent of the README of @codmir/events-sdk, on rolecall: it has code written by a coder, waits for it, and
// has it reviewed. docs/from-codmir.md puts the two side by side.
//
//	EVENTS_SERVICE_URL=http://127.0.0.1:3009 coordinator
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// patience is how long the coordinator waits for one task.
const patience = 2 * time.Minute

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "coordinator:", err)
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

// run registers the coordinator, and does its work.
func run(ctx context.Context, client *sdk.Client, out io.Writer) error {
	cfg := client.Config()
	presence := sdk.NewPresence(sdk.PresenceConfig{
		Registry: client,
		Agent: sdk.AgentRequest{
			ID:           cmp.Or(cfg.AgentID, sdk.DefaultAgentID()),
			Name:         "Task Coordinator",
			Role:         sdk.RoleCoordinator,
			Capabilities: []string{"planning", "delegation", "orchestration"},
		},
		Interval: time.Duration(cfg.HeartbeatIntervalMs) * time.Millisecond,
	})
	defer presence.Keep(ctx)() // registered, with heartbeats, until the work is done
	c := coordinator{client: client, presence: presence, out: out}
	return c.coordinate(ctx)
}

// coordinator has work done by others.
type coordinator struct {
	client   *sdk.Client
	presence *sdk.Presence
	out      io.Writer
}

// coordinate has code written, and reviewed.
func (c coordinator) coordinate(ctx context.Context) error {
	codeTask, err := c.client.RequestCode(ctx, "Implement user authentication",
		sdk.Description("Create login/logout functionality with JWT"),
		sdk.Input(map[string]any{"spec": "Use bcrypt for password hashing", "files": []string{"src/auth/"}}),
		sdk.WithPriority(sdk.PriorityHigh),
	)
	if err != nil {
		return err
	}
	written, err := c.wait(ctx, codeTask)
	if err != nil {
		return err
	}
	c.say("Code written: %s", written.Result.Output)

	var output struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(written.Result.Output, &output); err != nil {
		return fmt.Errorf("the output of task %s: %w", written.ID, err)
	}
	reviewTask, err := c.client.DelegateToRole(ctx, sdk.RoleReviewer, sdk.TypeCodeReview, "Review authentication code",
		sdk.Input(map[string]string{"code": output.Code}),
		sdk.WithPriority(sdk.PriorityMedium),
		sdk.Correlation(written.ID),
	)
	if err != nil {
		return err
	}
	reviewed, err := c.wait(ctx, reviewTask)
	if err != nil {
		return err
	}
	c.say("Reviewed: %s", reviewed.Result.Output)
	return nil
}

// wait waits until a task has completed. When it gives up, the task goes on.
func (c coordinator) wait(ctx context.Context, task *sdk.Task) (*sdk.Task, error) {
	c.say("Task %s (%s) waits for a %s", task.ID, task.Type, task.Role)
	defer c.presence.Begin(task.ID)() // meanwhile the coordinator is busy
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done, err := c.client.WaitForTask(ctx, task.ID)
	switch {
	case err != nil && done != nil && done.WaitingFor != nil:
		return nil, fmt.Errorf("%w: %s", err, done.WaitingFor.Detail)
	case err != nil:
		return nil, err
	case done.Err() != nil:
		return nil, fmt.Errorf("task %s %s: %w", done.ID, done.Status, done.Err())
	default:
		return done, nil
	}
}

func (c coordinator) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.out, format+"\n", args...) // nobody may be reading
}
