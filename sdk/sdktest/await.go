package sdktest

import (
	"cmp"
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Settle waits until no agent works: every handler has returned, or waits in [Wait], [Idle], [Clock.Sleep] or, with its own context, for
// the end of another task through a client of [Server.Client]; one wait stands for the whole handler. Then everything has happened that
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
	deadline := time.Now().Add(e.limit)
	var t sdk.Task
	for seen := -1; ; {
		e.mu.Lock()
		news := e.until(time.Until(deadline), func() bool { return e.version != seen })
		seen = e.version
		r, err := e.find(s.project, id)
		if err == nil {
			t = e.copied(r.task())
		}
		e.seen()
		switch {
		case err == nil && condition(t):
			return t
		case !news || time.Now().After(deadline):
			s.tb.Fatalf("sdktest: task %q did not become what the test waits for; it is %s", id, orUnknown(t.Status))
			return t
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
		list = e.chosen(s.project, filter, false, place{})
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
	return e.tasksOf(e.chosen(s.project, sdk.TaskFilter{}, false, place{}))
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
