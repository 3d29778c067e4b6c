package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// draw draws the steps over what was drawn before, on a terminal.
func (s *planScreen) draw(now time.Time) error {
	width := s.width()
	if width == 0 || s.json {
		return nil
	}
	room := 0
	if s.height != nil {
		room = s.height() - 1 // the line below the table is where the cursor waits
	}
	lines := s.table(now, room)
	var b strings.Builder
	b.WriteString(s.upwards())
	for _, l := range lines {
		b.WriteString("\r" + fit(l, width-1) + "\x1b[K\n") // the last column is left free: some terminals wrap there
	}
	b.WriteString(clearBelow)
	s.drawn = len(lines)
	return s.printf("%s", b.String())
}

// clear takes the table off the terminal.
func (s *planScreen) clear() error {
	if s.drawn == 0 {
		return nil
	}
	text := s.upwards() + "\r" + clearBelow
	s.drawn = 0
	return s.printf("%s", text)
}

// upwards moves the cursor to the first line of the table.
func (s *planScreen) upwards() string {
	if s.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA", s.drawn)
}

// table is a plan that goes on, in at most room lines; 0 is no bound. Where it has more steps than that, those that run and those that failed
// are shown before the others.
func (s *planScreen) table(now time.Time, room int) []string {
	p := &s.plan
	lines := []string{fmt.Sprintf("%s  %s, %s", printable(p.Title, false), span(now.Sub(p.CreatedAt).Truncate(time.Second)), s.progress())}
	steps, left := p.Steps, 0
	if room > 0 && len(steps)+1 > room {
		steps = mostTelling(steps, max(room-2, 0))
		left = len(p.Steps) - len(steps)
	}
	for _, l := range stepTable(steps, now, s.saying) {
		lines = append(lines, "  "+l)
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("  and %s more", countedSteps(left)))
	}
	return lines
}

// progress is how far a plan that goes on has come.
func (s *planScreen) progress() string {
	switch ended := endedSteps(&s.plan); {
	case s.omitted: // how many there are is not known
		return countedSteps(ended) + " ended"
	case len(s.plan.Steps) == 0:
		return "a coordinator is asked for its steps"
	default:
		return fmt.Sprintf("%d of %d steps ended", ended, len(s.plan.Steps))
	}
}

// mostTelling are n of the steps in their order: first those that run, then those that failed or were cancelled, that wait for a place, that
// wait for others, and at last those that are done with.
func mostTelling(steps []sdk.Step, n int) []sdk.Step {
	rank := map[sdk.StepStatus]int{sdk.StepRunning: 0, sdk.StepFailed: 1, sdk.StepCancelled: 1, sdk.StepReady: 2, sdk.StepPending: 3, sdk.StepCompleted: 4, sdk.StepSkipped: 4}
	chosen := make([]bool, len(steps))
	for r := 0; r <= 4; r++ {
		for i, s := range steps {
			if n > 0 && rank[s.Status] == r {
				chosen[i] = true
				n--
			}
		}
	}
	var kept []sdk.Step
	for i, s := range steps {
		if chosen[i] {
			kept = append(kept, s)
		}
	}
	return kept
}
