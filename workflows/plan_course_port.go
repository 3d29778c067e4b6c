package workflows

import (
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// PlanCourse is how one plan goes, for an engine that is not Temporal: the engine says when something happens, the course what comes of it.
// It is not safe for concurrent use.
type PlanCourse struct{ course *planCourse }

// NewPlanCourse is that of a plan that is created now.
func NewPlanCourse(in PlanInput, now time.Time) *PlanCourse {
	return &PlanCourse{newPlanCourse(in, now)}
}

// Begin tells of the plan, and settles what its first tasks are. A plan that can not be carried out is over then.
func (c *PlanCourse) Begin(now time.Time) { c.course.begin(now) }

// Next is the next task to start. Ask again until ok is false, whenever something has happened.
func (c *PlanCourse) Next(now time.Time) (in TaskInput, ok bool) { return c.course.next(now) }

// Stop is the next running task to be cancelled, and why. Ask again until ok is false, whenever something has happened.
func (c *PlanCourse) Stop() (taskID, reason string, ok bool) { return c.course.stop() }

// Ended takes the end of a task of Next. record is how it ended; nil where it never began.
func (c *PlanCourse) Ended(now time.Time, taskID string, record *sdk.Task) {
	c.course.ended(now, taskID, record)
}

// Cancel begins the end of the plan; false is that this had been asked for before, or that the plan is over.
func (c *PlanCourse) Cancel(now time.Time, reason string) bool { return c.course.cancel(now, reason) }

// Over reports whether nothing runs and nothing will. Then Close the plan.
func (c *PlanCourse) Over() bool { return c.course.over() }

// Close ends the plan. Nothing that comes later changes it.
func (c *PlanCourse) Close(now time.Time) { c.course.close(now) }

// TakeEvents answers the events of the plan since the last call.
func (c *PlanCourse) TakeEvents() []sdk.Event { return c.course.takeEvents() }

// Plan is the plan as it stands, without links.
func (c *PlanCourse) Plan() sdk.Plan { return c.course.record() }
