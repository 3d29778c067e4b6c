package sdktest

import (
	"cmp"
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Settle waits until no agent works: every handler has returned, or waits in [Wait], [Idle], [Clock.Sleep] or, with its own context, for
// the end of another task or of a plan through a client of [Server.Client]; one wait stands for the whole handler. Then everything has happened that
// can happen before the clock moves or somebody calls. Who else calls, such as the coordinator under test, it can not know: see
// [Server.AwaitTasks]. It fails the test when that takes longer than [Patience].
func (s *Server) Settle() {
	s.tb.Helper()
	e := s.engine
	e.mu.Lock()
	defer e.done()
	e.settle()
}

// AwaitTask waits until a task of the server's project meets a condition, and answers it as it then stands. It moves no clock. The
// condition is asked anew after something has happened, and may call the server itself. It fails the test when that takes longer than
// [Patience].
func (s *Server) AwaitTask(id string, condition func(sdk.Task) bool) sdk.Task {
	s.tb.Helper()
	e := s.engine
	t, ok := awaited(e, func() (sdk.Task, error) {
		r, err := e.find(s.project, id)
		if err != nil {
			return sdk.Task{}, err
		}
		return e.copied(r.task()), nil
	}, condition)
	if !ok {
		s.tb.Fatalf("sdktest: task %q did not become what the test waits for; it is %s", id, orUnknown(t.Status))
	}
	return t
}

// AwaitPlan waits until a plan of the server's project meets a condition, as [Server.AwaitTask] does for a task.
func (s *Server) AwaitPlan(id string, condition func(sdk.Plan) bool) sdk.Plan {
	s.tb.Helper()
	e := s.engine
	plan, ok := awaited(e, func() (sdk.Plan, error) {
		p, err := e.findPlan(s.project, id)
		if err != nil {
			return sdk.Plan{}, err
		}
		return p.record(), nil
	}, condition)
	if !ok {
		s.tb.Fatalf("sdktest: plan %q did not become what the test waits for; it is %s", id, orUnknown(plan.Status))
	}
	return plan
}

// awaited waits until what is looked at meets a condition; ok is false when that takes longer than the engine's limit. look is called with
// the lock held.
func awaited[T any](e *engine, look func() (T, error), condition func(T) bool) (thing T, ok bool) {
	deadline := time.Now().Add(e.limit)
	for seen := -1; ; {
		e.mu.Lock()
		news := e.until(time.Until(deadline), func() bool { return e.version != seen })
		seen = e.version
		now, err := look()
		e.seen()
		if err == nil {
			thing = now
		}
		switch {
		case err == nil && condition(thing):
			return thing, true
		case !news || time.Now().After(deadline):
			return thing, false
		}
	}
}

// AwaitTasks waits until a filter chooses at least n tasks of the server's project, and answers them in the order of their creation: so a
// test knows that its coordinator has got so far, before it moves the clock. The filter's Limit does not count. It fails the test when
// that takes longer than [Patience].
func (s *Server) AwaitTasks(n int, filter sdk.TaskFilter) []sdk.Task {
	s.tb.Helper()
	if err := filter.Validate(); err != nil {
		s.tb.Fatalf("sdktest: %v", err)
	}
	e := s.engine
	e.mu.Lock()
	defer e.seen()
	var list []*run
	if !e.until(e.limit, func() bool {
		list = e.chosen(s.project, filter, position{})
		return len(list) >= n
	}) {
		s.tb.Fatalf("sdktest: there are %d tasks of %+v, and the test waits for %d", len(list), filter, n)
	}
	return e.tasksOf(list)
}

// Tasks are all tasks of the server's project, in the order of their creation.
func (s *Server) Tasks() []sdk.Task {
	e := s.engine
	e.mu.Lock()
	defer e.seen()
	return e.tasksOf(e.chosen(s.project, sdk.TaskFilter{}, position{}))
}

// Plans are all plans of the server's project, in the order of their creation.
func (s *Server) Plans() []sdk.Plan {
	e := s.engine
	e.mu.Lock()
	defer e.seen()
	list := e.chosenPlans(s.project, sdk.PlanFilter{}, position{})
	slices.SortFunc(list, func(a, b *plan) int { return cmp.Compare(a.number, b.number) })
	plans := make([]sdk.Plan, len(list))
	for i, p := range list {
		plans[i] = p.record()
	}
	return plans
}

func (e *engine) tasksOf(list []*run) []sdk.Task {
	slices.SortFunc(list, func(a, b *run) int { return cmp.Compare(a.number, b.number) })
	tasks := make([]sdk.Task, len(list))
	for i, r := range list {
		tasks[i] = e.copied(r.task())
	}
	return tasks
}

// copied is a task that shares nothing with the engine's, as the wire brings it.
func (e *engine) copied(t sdk.Task) sdk.Task {
	var own sdk.Task
	if err := e.carry(t, &own); err != nil {
		e.tb.Errorf("sdktest: the task can not be carried: %v", err)
	}
	return own
}

func orUnknown(s sdk.Status) sdk.Status {
	if s == "" {
		return "not known"
	}
	return s
}
