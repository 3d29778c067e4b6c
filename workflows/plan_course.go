package workflows

import (
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// planCourse is how one plan goes: all that is decided about it, and what everybody sees of it. It knows no engine and no clock. It is not
// safe for concurrent use.
type planCourse struct {
	in   PlanInput
	plan sdk.Plan
}

// newPlanCourse is that of a plan whose run started at the given time.
func newPlanCourse(in PlanInput, started time.Time) *planCourse {
	return &planCourse{in: in, plan: NewPlan(in, started)}
}

// fault is why the plan can not be carried out, or nil: no client of ours would have started it.
func (c *planCourse) fault() error { return nil }

// begin tells of the plan, and settles what its first steps are.
func (c *planCourse) begin(_ time.Time) {}

// next is the next task to start; its step is running from then on. Ask until ok is false.
func (c *planCourse) next(_ time.Time) (in TaskInput, ok bool) { return TaskInput{}, false }

// stop is the next running task to be cancelled, and why, once for each. Ask until ok is false.
func (c *planCourse) stop() (taskID, reason string, ok bool) { return "", "", false }

// ended takes the end of a task's run. record is what it left; nil where it was ended from outside, or never started.
func (c *planCourse) ended(_ time.Time, _ string, _ *sdk.Task) {}

// cancel begins the end of the plan; false is that this had been asked for before, or that the plan is over.
func (c *planCourse) cancel(_ time.Time, _ string) bool { return false }

// over reports whether nothing runs and nothing will. Then the plan is to be closed.
func (c *planCourse) over() bool { return true }

// close ends the plan. Nothing that comes later changes it.
func (c *planCourse) close(_ time.Time) {}

// takeEvents answers the events of the plan since the last call.
func (c *planCourse) takeEvents() []sdk.Event { return nil }

// record is the plan as it leaves the run.
func (c *planCourse) record() sdk.Plan { return c.plan }

// state is the part of the plan that changes, for the memo.
func (c *planCourse) state() PlanState { return PlanState{Status: c.plan.Status} }

// room says how many bytes of history the run has so far.
func (c *planCourse) room(_ int) {}
