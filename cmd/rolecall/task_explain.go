package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

// explanation is what task explain prints with --json.
type explanation struct {
	TaskID      string          `json:"taskId"`
	Status      sdk.Status      `json:"status"`
	WaitingFor  *sdk.WaitingFor `json:"waitingFor,omitempty"`
	Explanation []string        `json:"explanation"`
}

func taskExplainCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "explain <id>",
		Short: "Say why a task is not running, and what to do",
		Long:  "Say in words why a task is not running, and what to do about it. The exit code is 0 whatever the reason.",
		Args:  arguments("task id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := connect()
			if err != nil {
				return err
			}
			task, err := client.GetTask(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			lines := explain(task)
			if c.json {
				return c.printJSON(explanation{TaskID: task.ID, Status: task.Status, WaitingFor: task.WaitingFor, Explanation: lines})
			}
			return c.printf("%s\n  %s\n", headline(task), strings.Join(lines, "\n  "))
		},
	}
}

// explain says how a task stands, why, and what to do about it.
func explain(t *sdk.Task) []string {
	switch {
	case t.Status.Terminal():
		return explainEnd(t)
	case t.WaitingFor != nil && t.WaitingFor.Reason == sdk.WaitingForControl: // be it that a question has run out
		return explainWaiting(t, *t.WaitingFor)
	case t.InputRequest != nil:
		return append([]string{"It waits for the answer to a question, and holds no agent meanwhile."}, questionText(t)...)
	case t.WaitingFor != nil:
		return explainWaiting(t, *t.WaitingFor)
	case t.Status == sdk.StatusRunning:
		return []string{"It runs: " + runsText(t) + sinceText(t) + "."}
	default:
		return []string{"It was just created, or is between two attempts: look again in a moment."}
	}
}

func explainEnd(t *sdk.Task) []string {
	lines := []string{"It has ended, and will not run again: " + statusText(t) + "."}
	if err := t.Err(); err != nil {
		lines = append(lines, "Why: "+printable(err.Error(), false), "Hand it out anew with: rolecall task retry "+printable(t.ID, false))
	}
	return lines
}

// anyAgent is what to do about a task that one agent is to have.
const anyAgent = "To let any agent of the role have the task, cancel it and hand it out without agentId, or give it a fallback."

func explainWaiting(t *sdk.Task, w sdk.WaitingFor) []string {
	role, agent := "its role", "its agent"
	if s := stageOf(t); s.Role != "" {
		role = printable(string(s.Role), false)
	}
	if t.AgentID != "" {
		agent = printable(t.AgentID, false)
	}
	what := sentence(cmp.Or(w.Detail, strings.ReplaceAll(w.Reason, "_", " "))) + waitedText(w)
	switch w.Reason {
	case sdk.WaitingNoAgent:
		return []string{what, "Either no agent of the role is there, or all are busy.", "Start one with: rolecall worker --role " + role + " --agent command -- <program>"}
	case sdk.WaitingNoCapable:
		return []string{what, "rolecall agents shows who is registered; an agent has to be addressable, and say what it can do.", anyAgent}
	case sdk.WaitingAgentAway:
		return []string{what, "It is away, busy, or was started without --addressable.", anyAgent}
	case sdk.WaitingBehind:
		if w.AgentID != "" {
			return []string{what, "The agent asks for work: it takes the task when its turn comes; a higher --priority overtakes.", anyAgent}
		}
		return []string{what, "Agents of the role ask for work: it is taken when its turn comes.",
			"More slots or agents make it sooner: rolecall worker --role " + role + "; a higher --priority overtakes."}
	case sdk.WaitingForAgent:
		return []string{what, "Look again in a moment; rolecall doctor shows who asks for work."}
	case sdk.WaitingForSlot:
		return []string{what, "It is given back when none comes free soon. More --slots or agents make it sooner."}
	case sdk.WaitingForControl:
		return []string{what, "Start one with: rolecall serve, or rolecall serve --control beside the API; rolecall doctor says more."}
	case sdk.WaitingBackingOff:
		if n := len(t.Attempts); n > 0 && t.Attempts[n-1].Error != nil {
			what += " The last error: " + printable(t.Attempts[n-1].Error.Error(), false)
		}
		if w.NextAttemptAt != nil {
			what = fmt.Sprintf("It backs off until %s UTC (%d of %d attempts so far). ", w.NextAttemptAt.UTC().Format(time.DateTime), t.Attempt, t.MaxAttempts) + what
		}
		return []string{what}
	case sdk.WaitingPaused:
		return []string{what, "Unpause it there: temporal activity unpause, or the Temporal UI."}
	case sdk.WaitingStopping:
		return []string{"It was cancelled and waits for " + agent + " to stop. After 15 s it ends all the same."}
	default:
		return []string{what}
	}
}

// stageOf is who the current stage asks for.
func stageOf(t *sdk.Task) sdk.Stage {
	if t.Stage > 0 && t.Stage <= len(t.Fallback) {
		return t.Fallback[t.Stage-1]
	}
	return sdk.Stage{Role: t.Role}
}

// sentence is a text of the service with a capital letter and a full stop.
func sentence(text string) string {
	text = printable(text, false)
	if text == "" {
		return ""
	}
	_, first := utf8.DecodeRuneInString(text)
	return strings.ToUpper(text[:first]) + text[first:] + "."
}

func waitedText(w sdk.WaitingFor) string {
	if w.Since.IsZero() {
		return ""
	}
	return " It has waited since " + w.Since.UTC().Format(time.DateTime) + " UTC."
}

func sinceText(t *sdk.Task) string {
	if n := len(t.Attempts); n > 0 && t.Attempts[n-1].EndedAt == nil {
		return " since " + t.Attempts[n-1].StartedAt.UTC().Format(time.DateTime) + " UTC"
	}
	return ""
}
