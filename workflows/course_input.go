package workflows

import (
	"fmt"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// QuestionID is the id of the question that an attempt asks.
func QuestionID(stage, attempt int) string { return fmt.Sprintf("input-%d-%d", stage, attempt) }

func (c *Course) newQuestion(now time.Time, in sdk.InputRequired) *sdk.InputRequest {
	wait := min(milliseconds(c.task.Timeouts.InputMs), c.left(now))
	return &sdk.InputRequest{
		ID: QuestionID(c.task.Stage, c.task.Attempt), Prompt: in.Prompt, Schema: in.Schema,
		AskedAt: now, ExpiresAt: now.Add(max(wait, 0)),
	}
}

// ask opens the question of the attempt that ended, unless it is one too many.
func (c *Course) ask(now time.Time) Step {
	c.asked++
	if c.asked > sdk.MaxAnswers {
		return failedBy(&sdk.TaskError{Code: sdk.CodeAgentFailed, Message: fmt.Sprintf("the agent asked more than %d questions", sdk.MaxAnswers)})
	}
	q := c.question
	c.answered = false
	c.task.InputRequest = q
	c.task.WaitingFor = &sdk.WaitingFor{Reason: sdk.WaitingForInput, Since: q.AskedAt, Detail: q.Prompt}
	c.enter(sdk.StatusInputRequired)
	c.tellInputRequired(now, *q)
	return Step{Kind: StepAsk, Delay: q.ExpiresAt.Sub(now)}
}

// Asked says that the wait of a StepAsk is over: the answer has come, nobody answered in time, or the task's cancellation was
// requested.
func (c *Course) Asked(now time.Time, cancelled bool) Step {
	q := c.question
	c.question, c.task.InputRequest, c.task.WaitingFor = nil, nil, nil
	switch {
	case cancelled:
		return Step{Kind: StepEnd, status: sdk.StatusCancelled}
	case c.answered:
		return c.beginAttempt(now)
	case c.left(now) <= 0:
		return failedBy(&sdk.TaskError{Code: sdk.CodeTotalTimeout, Message: "the task's time was used up while it waited for input"})
	default:
		return failedBy(&sdk.TaskError{Code: sdk.CodeInputTimeout, Message: "nobody answered in time: " + q.Prompt})
	}
}

// CheckInput answers nil when an answer can be taken, else an [sdk.Error]: conflict for a question that is not open or whose time is over,
// invalid_input for an answer that does not fit. The same answer again is welcome.
func (c *Course) CheckInput(now time.Time, in ProvideInputInput) error {
	for _, a := range c.task.Answers {
		if a.RequestID != in.RequestID {
			continue
		}
		if sameJSON(a.Answer, in.Answer) {
			return nil
		}
		return sdk.Errorf(sdk.CodeConflict, "%s has been answered already, with something else", in.RequestID)
	}
	if c.task.InputRequest == nil {
		return sdk.Errorf(sdk.CodeConflict, "the task asks for nothing now")
	}
	if c.task.InputRequest.ID != in.RequestID {
		return sdk.Errorf(sdk.CodeConflict, "the open question is %s, not %s", c.task.InputRequest.ID, in.RequestID)
	}
	if !now.Before(c.task.InputRequest.ExpiresAt) {
		return tooLate(in.RequestID)
	}
	return checkAnswer(c.task.InputRequest.Schema, in.Answer)
}

// tooLate refuses an answer that something else has come before.
func tooLate(requestID string) *sdk.Error {
	return sdk.Errorf(sdk.CodeConflict, "it is too late to answer %s", requestID)
}

// ProvideInput takes the answer that CheckInput let through; false when it is one that was taken before. The task has moved then,
// and the wait of the StepAsk is over.
func (c *Course) ProvideInput(now time.Time, in ProvideInputInput) bool {
	q := c.task.InputRequest
	if q == nil || q.ID != in.RequestID {
		return false
	}
	c.task.Answers = append(c.task.Answers, sdk.Answer{RequestID: in.RequestID, Prompt: q.Prompt, Answer: in.Answer, At: &now})
	c.task.InputRequest, c.task.WaitingFor, c.answered = nil, nil, true
	c.enter(sdk.StatusQueued)
	return true
}
