package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// longestSummary is how much of an event's data a line shows, in columns.
const longestSummary = 160

// eventLine is an event in one line. One that is not kept has no place in the log.
func eventLine(e *sdk.Event) string {
	place := "-"
	if e.Sequence != "" {
		place = shortSequence(e.Sequence)
	}
	parts := []string{e.Time.UTC().Format(time.RFC3339), place, string(e.Type)}
	if e.Subject != "" {
		parts = append(parts, e.Subject)
	}
	if said := summary(e); said != "" {
		parts = append(parts, fit(said, longestSummary))
	}
	return printable(strings.Join(parts, "  "), false)
}

// summary is the short of an event's data: in words where the type is known, else its JSON.
func summary(e *sdk.Event) string {
	if e.Dropped != "" {
		return "without its data: " + string(e.Dropped)
	}
	if said, ok := taskSummary(e); ok {
		return said
	}
	if said, ok := planSummary(e); ok {
		return said
	}
	if said, ok := agentSummary(e); ok {
		return said
	}
	var b bytes.Buffer
	if len(e.Data) == 0 || json.Compact(&b, e.Data) != nil {
		return ""
	}
	return b.String()
}

// taskSummary is the short of what happened to a task; ok is false for other events.
func taskSummary(e *sdk.Event) (text string, ok bool) {
	switch e.Type {
	case sdk.EventTaskCreated:
		return said(e, func(d sdk.TaskCreated) string {
			return fmt.Sprintf("%s for %s, %s · %s", d.Type, d.Role, d.Priority, d.Title)
		})
	case sdk.EventTaskAssigned:
		return said(e, func(d sdk.TaskAssigned) string {
			return fmt.Sprintf("stage %d attempt %d  %s%s", d.Stage, d.Attempt, d.Role, whose(d.AgentID, d.Model))
		})
	case sdk.EventTaskStarted:
		return said(e, func(d sdk.TaskStarted) string { return strings.TrimSpace(whose(d.AgentID, "")) })
	case sdk.EventTaskProgress:
		return said(e, func(d sdk.TaskProgressed) string { return strings.TrimSpace(progressText(d.Progress)) })
	case sdk.EventTaskInputRequired:
		return said(e, func(d sdk.TaskInputRequired) string { return "asks: " + d.Prompt })
	case sdk.EventTaskRetrying:
		return said(e, func(d sdk.TaskRetrying) string {
			text := fmt.Sprintf("attempt %d of %d %s%s", d.Attempt, d.MaxAttempts, words(string(d.Outcome)), why(d.Error))
			return text + ", again in " + span(time.Duration(d.DelayMs)*time.Millisecond)
		})
	case sdk.EventTaskFallback:
		return said(e, func(d sdk.TaskFellBack) string {
			return fmt.Sprintf("from %s to %s%s: %s%s", d.FromRole, d.ToRole, whose("", d.ToModel), words(string(d.Outcome)), why(d.Error))
		})
	case sdk.EventTaskCompleted, sdk.EventTaskFailed, sdk.EventTaskCancelled:
		return said(e, endedSummary)
	default:
		return "", false
	}
}

// agentSummary is the short of what happened to an agent; ok is false for other events.
func agentSummary(e *sdk.Event) (text string, ok bool) {
	switch e.Type {
	case sdk.EventAgentRegistered:
		return said(e, func(d sdk.AgentRegistered) string { return fmt.Sprintf("%s for %s", d.Name, d.Role) })
	case sdk.EventAgentStatusChanged:
		return said(e, func(d sdk.AgentStatusChanged) string {
			return fmt.Sprintf("%s: from %s to %s, %s", d.Role, d.From, d.To, words(d.Reason))
		})
	case sdk.EventAgentHeartbeat:
		return said(e, func(d sdk.AgentSeen) string {
			return strings.TrimSpace(fmt.Sprintf("%s: %s %s", d.Role, d.Status, strings.Join(d.CurrentTasks, " ")))
		})
	default:
		return "", false
	}
}

func endedSummary(d sdk.TaskEnded) string {
	text := fmt.Sprintf("%s for %s%s, attempts %d", d.Type, d.Role, whose(d.AgentID, d.Model), d.Attempts)
	if d.Degraded {
		text += fmt.Sprintf(", degraded (stage %d answered)", d.Stage)
	}
	return text + why(d.Error)
}

// said tells an event's data in words; ok is false for data of another shape.
func said[T any](e *sdk.Event, tell func(T) string) (text string, ok bool) {
	var data T
	if json.Unmarshal(e.Data, &data) != nil {
		return "", false
	}
	return tell(data), true
}

func whose(agent, model string) string {
	text := ""
	if agent != "" {
		text += " at " + agent
	}
	if model != "" {
		text += " (" + model + ")"
	}
	return text
}

func why(e *sdk.TaskError) string {
	switch {
	case e == nil:
		return ""
	case e.Message == "":
		return ": " + string(e.Code)
	default:
		return ": " + e.Error()
	}
}

func words(s string) string { return strings.ReplaceAll(s, "_", " ") }
