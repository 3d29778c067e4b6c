package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// planSummary is the short of what happened to a plan; ok is false for other events.
func planSummary(e *sdk.Event) (text string, ok bool) {
	switch e.Type {
	case sdk.EventPlanCreated:
		return said(e, func(d sdk.PlanCreated) string {
			steps := countedSteps(d.Steps)
			if d.Steps == 0 {
				steps = "steps to be planned"
			}
			return strings.TrimSuffix(fmt.Sprintf("%s, %d at once, %s · %s", steps, d.MaxParallel, d.Priority, d.Title), " · ")
		})
	case sdk.EventPlanStarted:
		return said(e, func(d sdk.PlanStarted) string {
			if d.StepsOmitted {
				return "its steps begin"
			}
			return countedSteps(len(d.Steps))
		})
	case sdk.EventPlanStep:
		return said(e, stepSummary)
	case sdk.EventPlanCompleted, sdk.EventPlanFailed, sdk.EventPlanCancelled:
		return said(e, planEndedSummary)
	default:
		return "", false
	}
}

// stepSummary is what happened to a step of a plan.
func stepSummary(d sdk.PlanStepped) string {
	text := fmt.Sprintf("%s %s", d.Step, d.To)
	switch {
	case d.ReworkFor != "":
		text += ": sent back by " + d.ReworkFor
	case d.SkippedBecause != "":
		text += ": " + d.SkippedBecause
	case d.To == sdk.StepRunning && d.Reworks > 0:
		text += fmt.Sprintf(", rework %d", d.Reworks)
	}
	if d.To == sdk.StepRunning && d.TaskID != "" {
		text += ", task " + d.TaskID
	}
	if d.To.Terminal() {
		text += whose(d.AgentID, "")
	}
	return text + why(d.Error)
}

func planEndedSummary(d sdk.PlanEnded) string {
	var parts []string
	for _, count := range []struct {
		n    int
		what string
	}{{d.Completed, "completed"}, {d.Failed, "failed"}, {d.Cancelled, "cancelled"}, {d.Skipped, "skipped"}} {
		if count.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count.n, count.what))
		}
	}
	steps := cmp.Or(strings.Join(parts, ", "), "none")
	return fmt.Sprintf("after %s, steps: %s%s", span(time.Duration(d.DurationMs)*time.Millisecond), steps, why(d.Error))
}

// planLine is what a line tells of an event of a plan or of one of its tasks; "" is nothing. step is the step of the task; "" where that is
// not known.
func planLine(e *sdk.Event, step string) string {
	step = cmp.Or(step, "task "+e.Task)
	switch e.Type {
	case sdk.EventPlanStep:
		if d, ok := dataOf[sdk.PlanStepped](e); ok {
			if d.To == sdk.StepReady { // of no interest by itself
				return ""
			}
			return stepSummary(d)
		}
	case sdk.EventTaskInputRequired:
		return fmt.Sprintf("%s %s (answer with: rolecall task input %s --answer '<JSON>')", step, summary(e), e.Task)
	case sdk.EventTaskRetrying, sdk.EventTaskFallback:
		return step + " " + summary(e)
	default:
	}
	if !strings.HasPrefix(string(e.Type), "plan.") {
		return ""
	}
	what := strings.ReplaceAll(string(e.Type), ".", " ")
	if text := summary(e); text != "" {
		what += ": " + text
	}
	return what
}
