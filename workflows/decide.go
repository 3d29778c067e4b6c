package workflows

import (
	"math"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// maxSpared is how many lost or interrupted attempts a stage forgives: they use none of its own attempts up.
const maxSpared = 5

// maxReturned is how many attempts a stage may have given back before an agent had begun: a worker that had no slot, or was just
// stopping, took nothing from it. Beyond that they are spared ones.
const maxReturned = 100

// effect is what the end of an attempt means for its stage.
type effect int

const (
	effectRetry    effect = iota // uses an attempt; the stage goes on while it has more
	effectSpare                  // uses none; the stage goes on, at most maxSpared times
	effectFallback               // the stage is used up; the next one is tried
	effectEnd                    // the task fails, whatever stages are left
)

// effectOf is the one place that says which failure retries, which falls back and which ends the task. docs/reference/errors.md
// holds the same table for people, and a test holds them together.
func effectOf(code sdk.Code, retryable bool) effect {
	switch code {
	case sdk.CodeWorkerLost, sdk.CodeInterrupted:
		return effectSpare
	case sdk.CodeQueueTimeout, sdk.CodeNoAgent, sdk.CodePayloadTooLarge, sdk.CodeInvalidOutput:
		return effectFallback
	case sdk.CodeInvalidInput, sdk.CodeBudgetExceeded, sdk.CodeTotalTimeout, sdk.CodeInputTimeout:
		return effectEnd
	case sdk.CodeAgentPanicked, sdk.CodeAttemptTimeout:
		return effectRetry
	}
	if retryable {
		return effectRetry
	}
	return effectFallback
}

// attemptEnd is how an attempt ended. failure is nil for a completed attempt and for one that asks for input.
type attemptEnd struct {
	outcome    sdk.Outcome
	failure    *sdk.TaskError
	retryable  bool
	retryAfter time.Duration // the agent's own wish; 0 leaves the backoff
}

// standing is where a stage stands when an attempt has ended: how many of its attempts count (the one that ended included, when it
// counts), how many were spared, and what is left of the task's time.
type standing struct {
	retry     sdk.Retry
	used      int
	spared    int
	lastStage bool
	left      time.Duration
}

// step is what a task does next.
type step int

const (
	stepComplete step = iota
	stepAsk
	stepRetry
	stepFallback
	stepFail
)

// move is a step and, for a retry, how long to wait first.
type move struct {
	step  step
	delay time.Duration
}

// next decides what follows the end of an attempt. It is a pure function: the same end and standing give the same move.
func next(s standing, end attemptEnd) move {
	switch {
	case end.outcome == sdk.OutcomeCompleted:
		return move{step: stepComplete}
	case end.outcome == sdk.OutcomeInputRequired:
		return move{step: stepAsk}
	}
	if s.left <= 0 {
		return move{step: stepFail}
	}
	usedUp := move{step: stepFallback}
	if s.lastStage {
		usedUp = move{step: stepFail}
	}
	switch effectOf(end.failure.Code, end.retryable) {
	case effectEnd:
		return move{step: stepFail}
	case effectSpare:
		if s.spared > maxSpared {
			return usedUp
		}
		return move{step: stepRetry}
	case effectRetry:
		delay := end.retryAfter
		if delay <= 0 {
			delay = backoff(s.retry, s.used)
		}
		if s.used >= s.retry.MaxAttempts || delay >= s.left {
			return usedUp
		}
		return move{step: stepRetry, delay: delay}
	default:
		return usedUp
	}
}

// backoff is how long Temporal's retry policy waits after the n-th attempt that counts.
func backoff(r sdk.Retry, n int) time.Duration {
	ms := float64(r.InitialIntervalMs) * math.Pow(r.BackoffCoefficient, float64(max(n, 1)-1))
	return time.Duration(min(ms, float64(r.MaxIntervalMs))) * time.Millisecond
}
