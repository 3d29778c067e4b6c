package transcript

import (
	"container/list"
	"slices"
	"sync"
)

// The bounds of a [ProgressStore].
const (
	MaxStoredTasks = 1000 // beyond it the task that was longest without an update is forgotten
	MaxStoredFirst = 20   // the first updates of a task
	MaxStoredLast  = 200  // the newest ones; those between are left out
)

// ProgressStore keeps the progress of tasks in memory, within bounds. Its zero value is an empty one; it is safe for concurrent use.
type ProgressStore[P any] struct {
	mu    sync.Mutex
	tasks map[string]*list.Element // of order
	order list.List                // of *stored[P], the newest update last
}

// stored is the progress of one task.
type stored[P any] struct {
	task  string
	first []P
	last  []P // a ring once it is full
	at    int // where the oldest of last is
}

// NewProgressStore is an empty store of updates of any type: [Progress], or that of the SDK.
func NewProgressStore[P any]() *ProgressStore[P] { return &ProgressStore[P]{} }

// Record adds an update of a task.
func (s *ProgressStore[P]) Record(task string, p P) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tasks == nil {
		s.tasks = map[string]*list.Element{}
	}
	at := s.tasks[task]
	if at == nil {
		if s.order.Len() >= MaxStoredTasks {
			s.forget(s.order.Front())
		}
		at = s.order.PushBack(&stored[P]{task: task})
		s.tasks[task] = at
	}
	s.order.MoveToBack(at)
	s.of(at).add(p)
}

// Latest is the newest update of a task; ok is false where there is none.
func (s *ProgressStore[P]) Latest(task string) (p P, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.tasks[task]
	if at == nil {
		return p, false
	}
	return s.of(at).newest(), true
}

// History is the progress of a task, oldest first: the first [MaxStoredFirst] updates and the newest [MaxStoredLast]. It is the caller's own.
func (s *ProgressStore[P]) History(task string) []P {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.tasks[task]
	if at == nil {
		return nil
	}
	t := s.of(at)
	return slices.Concat(t.first, t.last[t.at:], t.last[:t.at])
}

// Clear forgets a task.
func (s *ProgressStore[P]) Clear(task string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.tasks[task]; at != nil {
		s.forget(at)
	}
}

func (s *ProgressStore[P]) forget(at *list.Element) {
	delete(s.tasks, s.of(at).task)
	s.order.Remove(at)
}

func (s *ProgressStore[P]) of(at *list.Element) *stored[P] {
	t, _ := at.Value.(*stored[P]) // nothing else is put into the list
	return t
}

func (t *stored[P]) add(p P) {
	switch {
	case len(t.first) < MaxStoredFirst:
		t.first = append(t.first, p)
	case len(t.last) < MaxStoredLast:
		t.last = append(t.last, p)
	default:
		t.last[t.at] = p
		t.at = (t.at + 1) % MaxStoredLast
	}
}

func (t *stored[P]) newest() P {
	if n := len(t.last); n > 0 {
		return t.last[(t.at+n-1)%n]
	}
	return t.first[len(t.first)-1]
}
