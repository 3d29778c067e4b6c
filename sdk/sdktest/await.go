package sdktest

import (
	"cmp"
	"slices"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Settle waits until no agent works: every handler has returned, or waits in [Wait], [Idle], [Clock.Sleep] or, with its own context, for
// the end of another task through a client of [Server.Client]. Then everything has happened that can happen before the clock moves or
// somebody calls. Who else calls, such as the coordinator under test, it can not know: see [Server.AwaitTasks]. It fails the test when
// that takes longer than [Patience].
func (s *Server) Settle() {
	s.tb.Helper()
	e := s.engine
	e.mu.Lock()
	defer e.done()
	e.settle()
}

// AwaitTask waits until a task of the project "default" meets a condition, and answers it as it then stands. It moves no clock. It
// fails the test when that takes longer than [Patience].
func (s *Server) AwaitTask(id string, condition func(sdk.Task) bool) sdk.Task {
	s.tb.Helper()
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	var t sdk.Task
	ok := e.until(func() bool {
		r, err := e.find(defaultProject, id)
		if err != nil {
			return false
		}
		t = r.task()
		return condition(t)
	})
	if !ok {
		s.tb.Fatalf("sdktest: task %q did not become what the test waits for; it is %s", id, orUnknown(t.Status))
	}
	return t
}

// AwaitTasks waits until a filter chooses at least n tasks of the project "default", and answers them in the order of their creation: so a
// test knows that its coordinator has got so far, before it moves the clock. The filter's Limit does not count. It fails the test when
// that takes longer than [Patience].
func (s *Server) AwaitTasks(n int, filter sdk.TaskFilter) []sdk.Task {
	s.tb.Helper()
	if err := filter.Validate(); err != nil {
		s.tb.Fatalf("sdktest: %v", err)
	}
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []*run
	if !e.until(func() bool {
		list = e.chosen(defaultProject, filter, false, place{})
		return len(list) >= n
	}) {
		s.tb.Fatalf("sdktest: there are %d tasks of %+v, and the test waits for %d", len(list), filter, n)
	}
	return tasksOf(list)
}

// Tasks are all tasks of the project "default", in the order of their creation.
func (s *Server) Tasks() []sdk.Task {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	return tasksOf(e.chosen(defaultProject, sdk.TaskFilter{}, false, place{}))
}

func tasksOf(list []*run) []sdk.Task {
	slices.SortFunc(list, func(a, b *run) int { return cmp.Compare(a.number, b.number) })
	tasks := make([]sdk.Task, len(list))
	for i, r := range list {
		tasks[i] = r.task()
	}
	return tasks
}

func orUnknown(s sdk.Status) sdk.Status {
	if s == "" {
		return "not known"
	}
	return s
}
