package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// follow prints what the plan's steps and their agents do until the plan has ended.
func follow(ctx context.Context, client *sdk.Client, out io.Writer, id string) error {
	steps := map[string]string{} // by the id of their task
	for e, err := range client.PlanEvents(ctx, id) {
		if err != nil {
			return err
		}
		switch e.Type {
		case sdk.EventPlanStep:
			var s sdk.PlanStepped
			if err := json.Unmarshal(e.Data, &s); err != nil {
				return err
			}
			if s.TaskID != "" {
				steps[s.TaskID] = s.Step
			}
			fmt.Fprintf(out, "  %-9s %-10s %s\n", s.Step, s.To, because(s))
		case sdk.EventTaskProgress:
			var p sdk.TaskProgressed
			if err := json.Unmarshal(e.Data, &p); err != nil {
				return err
			}
			fmt.Fprintf(out, "  %-9s %9.0f%% %s\n", steps[p.TaskID], p.Percentage, strings.TrimSpace(p.Phase+": "+firstLine(p.Message)))
		default: // the rest is in the log
		}
	}
	return nil
}

// because says why a step stands where it does, if there is more to say than where that is.
func because(s sdk.PlanStepped) string {
	switch {
	case s.ReworkFor != "":
		return fmt.Sprintf("sent back by %s, round %d", s.ReworkFor, s.Reworks)
	case s.SkippedBecause != "":
		return s.SkippedBecause
	case s.Error != nil:
		return firstLine(s.Error.Error())
	case s.AgentID != "":
		return "by " + s.AgentID
	default:
		return ""
	}
}

// show prints how the plan ended.
func show(out io.Writer, plan *sdk.Plan) {
	fmt.Fprintf(out, "  %s", plan.Status)
	if plan.CompletedAt != nil {
		fmt.Fprintf(out, " after %s", plan.CompletedAt.Sub(plan.CreatedAt).Round(1e6))
	}
	fmt.Fprintln(out)
	for _, s := range plan.Steps {
		fmt.Fprintf(out, "    %-9s %-10s reworks %d  %s\n", s.ID, s.Status, s.Reworks, s.AgentID)
	}
	for _, name := range slices.Sorted(maps.Keys(plan.Outputs)) {
		fmt.Fprintf(out, "    %s: %s\n", name, plan.Outputs[name])
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
