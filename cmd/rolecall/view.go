package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// taskText is a task for people: what it is, how it stands, the chain of its attempts and its result.
func taskText(t *sdk.Task) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s", headline(t))
	if t.Description != "" {
		line("  %s", strings.ReplaceAll(printable(strings.TrimSpace(t.Description), true), "\n", "\n  "))
	}
	if !t.Status.Terminal() {
		for _, l := range standing(t) {
			line("  %s", l)
		}
	}
	if len(t.Attempts) > 0 {
		line("attempts")
		for _, a := range t.Attempts {
			line("  %s", attemptText(a))
		}
	}
	b.WriteString(resultText(t))
	if t.Links.UI != "" {
		line("ui: %s", printable(t.Links.UI, false))
	}
	return b.String()
}

// headline is a task in one line.
func headline(t *sdk.Task) string {
	text := fmt.Sprintf("task %s %s", printable(t.ID, false), statusText(t))
	return text + fmt.Sprintf(": %s for %s, %s · %s", t.Type, printable(string(t.Role), false), t.Priority, printable(t.Title, false))
}

func statusText(t *sdk.Task) string {
	text := strings.ReplaceAll(printable(string(t.Status), false), "_", " ")
	if t.CompletedAt != nil {
		text += " after " + span(t.CompletedAt.Sub(t.CreatedAt))
	}
	if t.Degraded {
		text += fmt.Sprintf(", degraded (stage %d answered)", t.Stage)
	}
	if t.CancelConfirmed != nil && !*t.CancelConfirmed {
		text += ", the agent was not seen to have stopped"
	}
	if t.Stale {
		text += " (stale: not everything could be refreshed)"
	}
	return text
}

// standing says how a task that has not ended stands.
func standing(t *sdk.Task) []string {
	var lines []string
	if t.Status == sdk.StatusRunning {
		lines = append(lines, runsText(t))
	}
	if p := t.Progress; p != nil {
		lines = append(lines, progressText(*p))
	}
	if w := t.WaitingFor; w != nil && t.InputRequest == nil {
		lines = append(lines, waitingText(*w))
	}
	if t.InputRequest != nil {
		lines = append(lines, questionText(t)...)
	}
	return lines
}

func runsText(t *sdk.Task) string {
	text := fmt.Sprintf("attempt %d of %d runs", t.Attempt, t.MaxAttempts)
	if t.Stage > 0 {
		text = fmt.Sprintf("stage %d, ", t.Stage) + text
	}
	if t.AgentID != "" {
		text += " at " + printable(t.AgentID, false)
	}
	return text
}

func progressText(p sdk.Progress) string {
	return strings.TrimRight(fmt.Sprintf("%3.0f %%  %s", p.Percentage, saying(p)), " ")
}

// saying is what an agent says of its work: phase, tool and message.
func saying(p sdk.Progress) string {
	var parts []string
	for _, s := range []string{p.Phase, p.Tool, p.Message} {
		if s = strings.TrimSpace(printable(s, false)); s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " · ")
}

func waitingText(w sdk.WaitingFor) string {
	text := "waits: " + printable(cmp.Or(w.Detail, strings.ReplaceAll(w.Reason, "_", " ")), false)
	if w.NextAttemptAt != nil {
		text += ", at " + w.NextAttemptAt.UTC().Format(time.TimeOnly) + " UTC"
	}
	return text
}

// questionText is an open question and how to answer it.
func questionText(t *sdk.Task) []string {
	q := t.InputRequest
	lines := []string{"asks: " + printable(q.Prompt, false)}
	if len(q.Schema) > 0 {
		lines = append(lines, "the answer must meet the schema "+printable(string(q.Schema), false))
	}
	return append(lines, fmt.Sprintf("answer by %s UTC with: rolecall task input %s --answer '<JSON>'", q.ExpiresAt.UTC().Format(time.DateTime), printable(t.ID, false)))
}

func attemptText(a sdk.Attempt) string {
	text := fmt.Sprintf("stage %d attempt %d  %s", a.Stage, a.Attempt, printable(string(a.Role), false))
	if a.AgentID != "" {
		text += " at " + printable(a.AgentID, false)
	}
	if a.Model != "" {
		text += " (" + printable(a.Model, false) + ")"
	}
	if a.EndedAt == nil {
		return text + "  runs since " + a.StartedAt.UTC().Format(time.TimeOnly) + " UTC"
	}
	text += fmt.Sprintf("  %s after %s", strings.ReplaceAll(printable(string(a.Outcome), false), "_", " "), span(a.EndedAt.Sub(a.StartedAt)))
	if a.Error != nil {
		text += ": " + printable(a.Error.Error(), false)
	}
	return text
}

// resultText is the error and the output of a task that has ended.
func resultText(t *sdk.Task) string {
	if t.Result == nil {
		return ""
	}
	text := ""
	if e := t.Result.Error; e != nil {
		text += "error: " + printable(e.Error(), true) + "\n"
	}
	if len(t.Result.Output) > 0 {
		text += "output\n" + indented(t.Result.Output) + "\n"
	}
	return text
}

// indented is JSON for people. What would do something to a terminal is escaped in JSON already, or becomes a space.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "  ", "  ") != nil {
		return "  " + printable(string(raw), true)
	}
	return "  " + printable(b.String(), true)
}
