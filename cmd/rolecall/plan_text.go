package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// showPlan prints a plan.
func (c *console) showPlan(p *sdk.Plan) error {
	if c.json {
		return c.printJSON(p)
	}
	return c.printf("%s", planText(p, time.Now()))
}

// planHeadline is a plan in one line.
func planHeadline(p *sdk.Plan) string {
	text := fmt.Sprintf("plan %s %s", printable(p.ID, false), strings.ReplaceAll(printable(string(p.Status), false), "_", " "))
	if p.CompletedAt != nil {
		text += " after " + span(p.CompletedAt.Sub(p.CreatedAt))
	}
	if p.Stale {
		text += " (stale: not everything could be refreshed)"
	}
	return text + ": " + printable(p.Title, false)
}

// planText is a plan for people: how it stands, its steps, and what came of it.
func planText(p *sdk.Plan, now time.Time) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s", planHeadline(p))
	for _, l := range stepTable(p.Steps, now, nil) {
		line("  %s", l)
	}
	if len(p.Steps) == 0 && !p.Status.Terminal() {
		line("  a coordinator is asked for its steps")
	}
	for _, id := range p.PlanningTaskIDs {
		line("planned by task %s", printable(id, false))
	}
	if p.Error != nil {
		line("error: %s", printable(p.Error.Error(), true))
	}
	if len(p.Outputs) > 0 {
		line("outputs")
		line("  %s", printable(outputsText(p.Outputs), true))
	}
	if p.Links.UI != "" {
		line("ui: %s", printable(p.Links.UI, false))
	}
	return b.String()
}

// outputsText is the plan's outputs as JSON for people.
func outputsText(outputs map[string]json.RawMessage) string {
	var raw, b bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	if enc.Encode(outputs) != nil || json.Indent(&b, bytes.TrimSpace(raw.Bytes()), "  ", "  ") != nil {
		return strings.Join(slices.Sorted(maps.Keys(outputs)), ", ")
	}
	return b.String()
}

// stepTable are steps in columns: what, how it stands, for how long, who, and what else there is to say. saying is what the agents of those
// that run say, by step.
func stepTable(steps []sdk.Step, now time.Time, saying map[string]string) []string {
	rows := make([][]string, len(steps))
	widths := make([]int, 4)
	for i, s := range steps {
		rows[i] = []string{printable(s.ID, false), stepStatus(s), stepTook(s, now), stepWho(s), stepNote(s, saying[s.ID])}
		for j := range widths {
			widths[j] = max(widths[j], len([]rune(rows[i][j])))
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		var b strings.Builder
		for j, cell := range row[:len(widths)] {
			b.WriteString(cell + strings.Repeat(" ", widths[j]-len([]rune(cell))+2))
		}
		lines[i] = strings.TrimRight(b.String()+row[len(widths)], " ")
	}
	return lines
}

func stepStatus(s sdk.Step) string {
	text := printable(string(s.Status), false)
	if s.Reworks > 0 {
		text += fmt.Sprintf(" (rework %d)", s.Reworks)
	}
	if s.Degraded {
		text += " (degraded)"
	}
	return text
}

// stepTook is for how long the newest task of a step runs, or ran.
func stepTook(s sdk.Step, now time.Time) string {
	switch {
	case s.StartedAt == nil || s.Status == sdk.StepPending || s.Status == sdk.StepReady || s.Status == sdk.StepSkipped:
		return "-"
	case s.CompletedAt != nil:
		return span(s.CompletedAt.Sub(*s.StartedAt))
	default:
		return span(now.Sub(*s.StartedAt).Truncate(time.Second))
	}
}

// stepWho is the agent of a step, or the role whose agent it will be.
func stepWho(s sdk.Step) string {
	if s.AgentID != "" && s.Status != sdk.StepPending && s.Status != sdk.StepReady {
		return printable(s.AgentID, false)
	}
	if s.Role == "" { // not known
		return "-"
	}
	return "(" + printable(string(s.Role), false) + ")"
}

func stepNote(s sdk.Step, saying string) string {
	switch {
	case s.Error != nil && s.Status != sdk.StepPending && s.Status != sdk.StepReady && s.Status != sdk.StepRunning:
		return printable(s.Error.Error(), false)
	case s.Status == sdk.StepSkipped:
		return printable(s.SkippedBecause, false)
	case s.Status == sdk.StepRunning && saying != "":
		return saying
	default:
		return printable(s.Title, false)
	}
}
