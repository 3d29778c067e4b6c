package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rolecall-dev/rolecall/sdk"
)

// step hands a task out, shows it while it runs, and answers it when it has completed.
func step(ctx context.Context, client *sdk.Client, create func() (*sdk.Task, error)) (*sdk.Task, error) {
	task, err := create()
	if err != nil {
		return nil, err
	}
	fmt.Printf("\n%s · %s\n  task %s\n", task.Type, task.Title, task.ID)
	if task.Links.UI != "" {
		fmt.Printf("  %s\n", task.Links.UI)
	}
	for p, err := range client.FollowTask(ctx, task.ID) {
		if err != nil {
			return nil, err
		}
		fmt.Printf("  %3.0f %% %-10s %s\n", p.Percentage, p.Phase, firstLine(p.Message))
	}
	if task, err = client.WaitForTask(ctx, task.ID); err != nil {
		return nil, err
	}
	show(task)
	if err := task.Err(); err != nil {
		return nil, err
	}
	return task, nil
}

// show prints how a task ended: its result and, where it took more than one attempt, the chain of them.
func show(task *sdk.Task) {
	fmt.Printf("  %s in %d ms: %s\n", task.Status, task.Result.Metrics.DurationMs, task.Result.Output)
	if m := task.Result.Metrics; m.TokensUsed != nil && m.CostUSD != nil {
		fmt.Printf("  spent %d tokens for $%.4f, all attempts together\n", *m.TokensUsed, *m.CostUSD)
	}
	if len(task.Attempts) < 2 {
		return
	}
	fmt.Printf("  degraded %t, the chain of attempts:\n", task.Degraded)
	for _, a := range task.Attempts {
		took, why := "", ""
		if a.EndedAt != nil {
			took = a.EndedAt.Sub(a.StartedAt).Round(1e6).String()
		}
		if a.Error != nil {
			why = firstLine(a.Error.Error())
		}
		fmt.Printf("    stage %d attempt %d  %-9s  %-8s  by %s  %s\n", a.Stage, a.Attempt, a.Outcome, took, a.AgentID, why)
	}
}

// judge reads a yes or no out of a task's output.
func judge(task *sdk.Task, field string) error {
	var output map[string]any
	if err := json.Unmarshal(task.Result.Output, &output); err != nil {
		return fmt.Errorf("the output of %s: %w", task.ID, err)
	}
	if yes, ok := output[field].(bool); !ok || !yes {
		return fmt.Errorf("%s says no: %s", task.Role, task.Result.Output)
	}
	return nil
}

func firstLine(s string) string {
	for i, r := range s {
		if r == '\n' {
			return s[:i]
		}
	}
	return s
}
