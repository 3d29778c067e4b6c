package engine

import (
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// What one project may have of the polls in this process; Temporal bounds those of everybody.
const (
	// desksOfAProject is how many queues are asked at once, and ownDesks how many may be when another agent's own queue comes to be asked.
	desksOfAProject = 500
	ownDesks        = 400
	// workOfAProject is how many polls there are before each queue gets one poll at a time only.
	workOfAProject = 500
)

// desks are those of the queues that are asked now. A desk is there for as long as a claim waits at it or something that it began goes on.
type desks struct {
	mu   sync.Mutex
	seat map[string]*seat  // by queue
	of   map[string]*share // by project
}

// seat is a desk with how many use it: claims, and what it has begun.
type seat struct {
	desk    *desk
	project string
	users   int
}

// share is what a project has of the desks.
type share struct{ desks, work int }

func newDesks() *desks { return &desks{seat: map[string]*seat{}, of: map[string]*share{}} }

// enter answers the desk of a queue, which is opened unless it is there; nil when the project has most of them already. The desk is the
// caller's until leave.
func (s *desks) enter(queue, project string, most int, open func() *desk) (d *desk, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.seat[queue]
	if at == nil {
		of := s.of[project]
		if of == nil {
			of = &share{}
		}
		if of.desks >= most {
			return nil, nil
		}
		at = &seat{desk: open(), project: project}
		of.desks++
		s.seat[queue], s.of[project] = at, of
	}
	at.users++
	return at.desk, func() { s.leave(queue, 0) }
}

// begin keeps the desk of a queue, which is somebody's, for something that it begins, until leave.
func (s *desks) begin(queue string) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.seat[queue]
	at.users++
	s.of[at.project].work++
	return func() { s.leave(queue, 1) }
}

func (s *desks) leave(queue string, work int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.seat[queue]
	of := s.of[at.project]
	of.work -= work
	if at.users--; at.users > 0 {
		return
	}
	delete(s.seat, queue)
	if of.desks--; of.desks == 0 {
		delete(s.of, at.project)
	}
}

// crowded reports whether a project has as many polls as it may before each of its queues gets one only.
func (s *desks) crowded(project string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.of[project]
	return of != nil && of.work >= workOfAProject
}

// desk is the one of a queue of a role's, until leave; nil when the project has most of them already.
func (e *Engine) desk(project string, role sdk.Role, queue string, most int) (d *desk, leave func()) {
	l := e.leases
	return l.desks.enter(queue, project, most, func() *desk {
		return &desk{
			poll: func(length time.Duration) (*polledTask, error) {
				defer l.metrics.polling(role)()
				return e.pollQueue(queue, length)
			},
			giveBack: func(task *polledTask) { e.returnToken(role, task.GetTaskToken()) },
			work: func(f func()) {
				leave := l.desks.begin(queue)
				e.attend(func() {
					defer leave()
					f()
				})
			},
			crowded: func() bool { return l.desks.crowded(project) },
			closing: e.life.Done(),
		}
	})
}

// tooManyDesks is the answer to a claim for which a project may ask no further queue.
func tooManyDesks() *sdk.Error {
	e := sdk.Errorf(sdk.CodeRateLimited, "agents of this project wait for tasks of too many roles at once; work for fewer, or claim again later")
	e.RetryAfter = retryAfter
	return e
}
