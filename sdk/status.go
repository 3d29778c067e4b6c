package sdk

// Status is where a task stands.
type Status string

// The task statuses. The last three are terminal.
const (
	StatusQueued        Status = "queued"
	StatusRunning       Status = "running"
	StatusInputRequired Status = "input_required"
	StatusCompleted     Status = "completed"
	StatusFailed        Status = "failed"
	StatusCancelled     Status = "cancelled"
)

// Terminal reports whether a task in this status has ended for good.
func (s Status) Terminal() bool {
	return s == StatusCompleted || s == StatusFailed || s == StatusCancelled
}

// Outcome is how one attempt ended.
type Outcome string

// The outcomes of an attempt.
const (
	OutcomeCompleted     Outcome = "completed"
	OutcomeFailed        Outcome = "failed"
	OutcomeTimedOut      Outcome = "timed_out"
	OutcomeInterrupted   Outcome = "interrupted"
	OutcomeLost          Outcome = "lost"
	OutcomeCancelled     Outcome = "cancelled"
	OutcomeInputRequired Outcome = "input_required"
	OutcomeNotTaken      Outcome = "not_taken"
)
