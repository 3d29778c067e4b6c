package sdktest

import (
	"context"
	"time"

	"github.com/rolecall-dev/rolecall/activities"
	kept "github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// plan is one plan: how it goes, and the tasks that run for it. The engine's lock guards it.
type plan struct {
	engine  *engine
	in      workflows.PlanInput
	digest  string
	course  *workflows.PlanCourse
	running map[string]*run // by the task's id
	moving  bool            // goOn is at work
	callers map[*waiter]struct{}
	number  int // the order of creation
	ended   int // the order of the end; 0 while it is open
}

func (e *engine) findPlan(project, id string) (*plan, error) {
	if p, ok := e.plans[workflows.PlanWorkflowID(project, id)]; ok {
		return p, nil
	}
	return nil, kept.NoSuchPlan()
}

// record is the plan as the API answers it. It shares nothing with the course.
func (p *plan) record() sdk.Plan {
	var out sdk.Plan
	if err := p.engine.carry(p.course.Plan(), &out); err != nil {
		p.engine.tb.Errorf("sdktest: the plan can not be carried: %v", err)
	}
	self := "/v1/plans/" + p.in.ID
	out.Links = sdk.Links{Self: self, Events: self + "/events"}
	return out
}

// CreatePlan implements [apiserver.Plans].
func (e *engine) CreatePlan(_ context.Context, in workflows.PlanInput, digest string) (created sdk.Plan, replayed bool, err error) {
	e.mu.Lock()
	defer e.done()
	key := workflows.PlanWorkflowID(in.Project, in.ID)
	if first, taken := e.plans[key]; taken {
		if err := kept.SameRequest("plan", first.digest, digest); err != nil {
			return created, false, err
		}
		return first.record(), true, nil
	}
	switch {
	case e.closed:
		return created, false, sdk.Errorf(sdk.CodeUnavailable, "the test is over")
	case len(e.plans) >= e.keep:
		return created, false, sdk.Errorf(sdk.CodeUnavailable, "sdktest keeps at most %d plans", e.keep)
	}
	in.Request, in.CreatedAt = in.Request.Resolve(), e.now
	p := &plan{
		engine: e, in: in, digest: digest, course: workflows.NewPlanCourse(in, e.now), running: map[string]*run{}, callers: map[*waiter]struct{}{},
		number: e.number(),
	}
	e.plans[key] = p
	answer := p.record() // the caller hears of it before anything has come of it
	p.course.Begin(e.now)
	p.goOn()
	e.dispatch()
	return answer, false, nil
}

// GetPlan implements [apiserver.Plans].
func (e *engine) GetPlan(_ context.Context, project, id string) (sdk.Plan, error) {
	e.mu.Lock()
	defer e.seen()
	p, err := e.findPlan(project, id)
	if err != nil {
		return sdk.Plan{}, err
	}
	return p.record(), nil
}

// GlanceAtPlan implements [apiserver.Plans].
func (e *engine) GlanceAtPlan(ctx context.Context, project, id string) (sdk.Plan, error) {
	return e.GetPlan(ctx, project, id)
}

// WaitPlan implements [apiserver.Plans]. How long a caller waits for an answer is measured by the machine's clock, as the caller does.
func (e *engine) WaitPlan(ctx context.Context, project, id string, wait time.Duration) (sdk.Plan, error) {
	e.mu.Lock()
	p, err := e.findPlan(project, id)
	if err != nil || p.ended > 0 || wait <= 0 || e.closed {
		defer e.seen()
		if err != nil {
			return sdk.Plan{}, err
		}
		return p.record(), nil
	}
	defer e.done()
	e.await(ctx, p.callers, wait)
	return p.record(), nil
}

// CancelPlan implements [apiserver.Plans].
func (e *engine) CancelPlan(_ context.Context, project, id, reason string) (answer sdk.Plan, accepted bool, err error) {
	e.mu.Lock()
	defer e.done()
	p, err := e.findPlan(project, id)
	if err != nil {
		return answer, false, err
	}
	answer = p.record() // as it stands, before anything has come of it
	if p.ended > 0 {
		return answer, false, nil
	}
	if p.course.Cancel(e.now, reason) {
		p.goOn()
		e.dispatch()
	}
	return answer, true, nil
}

// goOn does what the plan's course wants, until that waits for a task or is over. A task that ends meanwhile is taken by the same round.
func (p *plan) goOn() {
	if p.moving || p.ended > 0 {
		return
	}
	p.moving = true
	defer func() { p.moving = false }()
	for p.step() {
		p.collect()
	}
	if p.course.Over() {
		p.course.Close(p.engine.now)
		p.ended = p.engine.number()
		p.engine.wakeAll(p.callers)
	}
	p.collect()
}

// step stops or starts one task; false is that there is none.
func (p *plan) step() bool {
	e := p.engine
	if id, reason, ok := p.course.Stop(); ok {
		if r := p.running[id]; r != nil && !r.cancelled {
			r.cancelled = true
			r.cancel(reason)
		}
		return true
	}
	in, ok := p.course.Next(e.now)
	if !ok {
		return false
	}
	p.collect() // before what its task tells
	if e.makeRoom() != nil {
		p.course.Ended(e.now, in.ID, nil)
		return true
	}
	r := e.newRun(in, "")
	p.running[in.ID] = r
	r.then = p.taskEnded
	r.follow(r.course.Begin(e.now))
	return true
}

// taskEnded takes the end of one of the plan's tasks.
func (p *plan) taskEnded(r *run) {
	delete(p.running, r.in.ID)
	record := r.course.Record()
	p.course.Ended(p.engine.now, r.in.ID, &record)
	p.goOn()
}

// collect takes what the plan has to tell.
func (p *plan) collect() {
	p.engine.told(part{project: p.in.Project, kind: activities.StoryPlan, id: p.in.ID, events: p.course.TakeEvents()})
}
