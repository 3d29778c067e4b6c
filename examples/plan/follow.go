package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// follow says what the plan's steps and their agents do until the plan has ended.
func follow(ctx context.Context, client *sdk.Client, say func(format string, args ...any), id string) error {
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
			say("  %-9s %-10s %s", s.Step, s.To, because(s))
		case sdk.EventTaskProgress:
			var p sdk.TaskProgressed
			if err := json.Unmarshal(e.Data, &p); err != nil {
				return err
			}
			say("  %-9s %9.0f%% %s", steps[p.TaskID], p.Percentage, strings.TrimSpace(p.Phase+": "+firstLine(p.Message)))
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

// show says how the plan ended.
func show(say func(format string, args ...any), plan *sdk.Plan) {
	took := ""
	if plan.CompletedAt != nil {
		took = " after " + plan.CompletedAt.Sub(plan.CreatedAt).Round(1e6).String()
	}
	say("  %s%s", plan.Status, took)
	for _, s := range plan.Steps {
		say("    %-9s %-10s reworks %d  %s", s.ID, s.Status, s.Reworks, s.AgentID)
	}
	for _, name := range slices.Sorted(maps.Keys(plan.Outputs)) {
		say("    %s: %s", name, plan.Outputs[name])
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
