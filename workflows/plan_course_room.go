package workflows

import "github.com/rolecall-dev/rolecall/sdk"

// What a plan takes of the history of its run. Temporal ends a run whose history passes 50 MB.
const (
	// maxPlanWritten is how many bytes a step may begin up to.
	maxPlanWritten = 40 << 20
	// planTaskRoom is how much is kept free for the end of a task that runs: an output that a plan can hold, and as much again for the rest
	// of its record.
	planTaskRoom = 2 * sdk.MaxStepOutput
	// planTaskMost is the end of a task that leaves the largest record that one can. The ends of all that run have room even so up to
	// planEndsWritten, which is near Temporal's own bound: a history that passes that is lost with the plan.
	planTaskMost    = maxRecord + planTaskWeight
	planEndsWritten = 49 << 20
	// planTaskWeight is about how many bytes the start of a task is beside what it is given, with what is told of it; and likewise its end.
	planTaskWeight = 24 << 10
)

// planSpace is what is known of the history of the run.
type planSpace struct {
	history int // bytes, as the run has said last
	since   int // about how many there are more since
}

// room says how many bytes of history the run has so far. An engine that has none says nothing: then it is reckoned.
func (c *planCourse) room(history int) {
	if history != c.space.history {
		c.space = planSpace{history: history}
	}
}

func (s *planSpace) started(in TaskInput) { s.since += startWeight(in) }

func (s *planSpace) ended(record *sdk.Task) {
	s.since += planTaskWeight
	if record != nil {
		s.since += recordWeight(*record)
	}
}

// startWeight is about how many bytes the start of a task is. It counts what was handed in, so that it stays the same when a shape grows a
// field.
func startWeight(in TaskInput) int {
	return planTaskWeight + len(in.Request.Input) + len(in.Request.Description)
}

// fits reports whether there is room for one more task, and for the ends of all that run.
func (c *planCourse) fits(in TaskInput) bool {
	written, ends := c.space.history+c.space.since+startWeight(in), len(c.open)+1
	return written+ends*planTaskRoom <= maxPlanWritten && written+ends*planTaskMost <= planEndsWritten
}

func noRoom() *sdk.TaskError {
	return &sdk.TaskError{
		Code: sdk.CodePayloadTooLarge, Message: "what the plan's tasks were given and have answered fills the history that one run may have",
	}
}
