package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	barWidth = 24
	// narrowest is the width of a terminal below which the bar itself is left out.
	narrowest = 60
)

// bar is one line that shows a task at work: how far the present attempt is, what it is doing, which attempt it is and for how long it goes on.
// It is never wider than width, so that it can be drawn over itself.
func bar(t *sdk.Task, now time.Time, width int) string {
	percent, doing := 0.0, ""
	if p := t.Progress; p != nil {
		percent, doing = min(max(p.Percentage, 0), 100), saying(*p)
	}
	if t.Status != sdk.StatusRunning || doing == "" {
		doing = idleText(t, doing)
	}
	head := fmt.Sprintf("%3.0f %%  ", percent)
	if width >= narrowest {
		full := int(percent / 100 * barWidth)
		head = "[" + strings.Repeat("█", full) + strings.Repeat("░", barWidth-full) + "] " + head
	}
	tail := "  " + span(now.Sub(t.CreatedAt).Truncate(time.Second))
	if t.Attempt > 1 || t.Stage > 0 {
		tail = fmt.Sprintf("  attempt %d/%d", t.Attempt, t.MaxAttempts) + tail
	}
	if t.Stage > 0 {
		tail = fmt.Sprintf("  stage %d", t.Stage) + tail
	}
	room := width - 1 - len([]rune(head)) - len([]rune(tail)) // the last column is left free: some terminals wrap there
	if room < 0 {
		return fit(head, max(width-1, 0))
	}
	return head + fit(doing, room) + tail
}

// idleText is what to say of a task whose agent says nothing.
func idleText(t *sdk.Task, said string) string {
	switch {
	case t.Status == sdk.StatusInputRequired:
		return "waits for an answer"
	case t.WaitingFor != nil:
		return waitingText(*t.WaitingFor)
	case t.Status == sdk.StatusRunning && t.AgentID != "":
		return printable(t.AgentID, false) + " works"
	case said != "":
		return said
	default:
		return strings.ReplaceAll(string(t.Status), "_", " ")
	}
}
