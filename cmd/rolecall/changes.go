package main

import (
	"fmt"

	"github.com/rolecall-dev/rolecall/sdk"
)

// changes are the lines that tell what happened to a task between two looks, in the order it happened. before is nil at the
// first look. The end of the task is not among them.
func changes(before *sdk.Task, u sdk.TaskUpdate) []string {
	var lines []string
	now := u.Task
	if before == nil {
		lines = append(lines, headline(now))
		before = &sdk.Task{Status: sdk.StatusQueued}
	}
	lines = append(lines, notable(before, now)...)
	if runsAnew(before, now) {
		lines = append(lines, runsText(now))
	}
	for _, p := range u.Progress {
		lines = append(lines, progressText(p))
	}
	if w := now.WaitingFor; w != nil && now.InputRequest == nil && (before.WaitingFor == nil || waitingText(*before.WaitingFor) != waitingText(*w)) {
		lines = append(lines, waitingText(*w))
	}
	return lines
}

// notable are the changes that a bar does not show: attempts that ended, a fallback, a question.
func notable(before, now *sdk.Task) []string {
	if before == nil {
		return newQuestion(nil, now) // what is past is told at the end
	}
	lines := endedAttempts(before, now)
	if now.Stage > before.Stage {
		lines = append(lines, fmt.Sprintf("falls back to stage %d", now.Stage))
	}
	return append(lines, newQuestion(before, now)...)
}

// newQuestion is a question that was asked since, and how to answer it.
func newQuestion(before, now *sdk.Task) []string {
	if now.InputRequest == nil || before != nil && before.InputRequest != nil && before.InputRequest.ID == now.InputRequest.ID {
		return nil
	}
	return questionText(now)
}

// endedAttempts tells of the attempts that ended since.
func endedAttempts(before, now *sdk.Task) []string {
	told := map[[2]int]bool{}
	for _, a := range before.Attempts {
		told[[2]int{a.Stage, a.Attempt}] = a.EndedAt != nil
	}
	var lines []string
	for _, a := range now.Attempts {
		if a.EndedAt != nil && !told[[2]int{a.Stage, a.Attempt}] {
			lines = append(lines, attemptText(a))
		}
	}
	return lines
}

// runsAnew reports whether an agent has taken an attempt since.
func runsAnew(before, now *sdk.Task) bool {
	if now.Status != sdk.StatusRunning {
		return false
	}
	return before.Status != sdk.StatusRunning || before.Stage != now.Stage || before.Attempt != now.Attempt || before.AgentID != now.AgentID
}
