package sdk

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"iter"
	"sync"
	"time"
)

// Events answers the session's own stream, from its first event to session_close, as it comes; then it ends. [ResumeAfter] begins after
// an event that was read before, [FromNow] with what comes next. It is opened again as [Client.Subscribe] is, and ends on the same errors;
// [OnInterruption] is told of each cut. A session that closed before there was a log has none.
//
// Where the log has an event in another place than it is told, as after an outage of the log, its [SessionEvent.Sequence] is the place after
// which to go on: who does so may be told it again. One iteration tells it once.
func (s *SessionHandle) Events(ctx context.Context, opts ...FollowOption) iter.Seq2[*SessionEvent, error] {
	return func(yield func(*SessionEvent, error) bool) {
		f := following[SessionEvent]{follow: s.client.follow(EventFilter{}, opts, "v1", "sessions", s.opened.ID, "events")}
		f.read = func(fr frame) (*SessionEvent, bool, error) {
			if fr.id == "" && f.known { // it is told after something that the log has later: who goes on is told it again
				fr.id = FormatSequence(f.at)
			}
			return readSessionEvent(fr)
		}
		var told toldThere[[sha256.Size]byte]
		f.fresh = func(e *SessionEvent) bool {
			same, err := json.Marshal(e)
			return err != nil || told.isNew(f.follow, sha256.Sum256(same))
		}
		f.output = nil // which only the stream of a task has
		f.over = func(ctx context.Context) (bool, error) {
			session, err := s.Get(ctx)
			return err == nil && session.Status == SessionClosed, err
		}
		if f.story = true; f.start() != nil {
			yield(nil, Errorf(CodeInvalidInput, "a session is resumed after the sequence of an event: a whole number of at most 20 digits"))
			return
		}
		f.events(ctx)(yield)
	}
}

// Subscribe calls a handler with each event that [SessionHandle.Events] would answer, one after the other, in a goroutine of its own, until
// the session closes. When the subscription ends by an error, the handler is called once more, with the error alone.
//
// unsubscribe ends the subscription and waits for the handler to have returned, five seconds at most: the handler can call it too, and goes on
// after them. No call of the handler begins after it. It can be called again. What is not unsubscribed lives as long as the session is
// open.
func (s *SessionHandle) Subscribe(handler func(*SessionEvent, error), opts ...FollowOption) (unsubscribe func()) {
	life, end := context.WithCancelCause(context.Background())
	l, done := s.audience.join(), make(chan struct{})
	go func() {
		defer close(done)
		defer end(nil)
		defer s.audience.leave(l)
		for e, err := range s.Events(life, opts...) {
			if errors.Is(context.Cause(life), errUnsubscribed) {
				return
			}
			handler(e, err)
			if err == nil {
				s.audience.told(l, e)
			}
		}
	}()
	return func() {
		end(errUnsubscribed)
		late := time.NewTimer(heardFor)
		defer late.Stop()
		select {
		case <-done:
		case <-late.C:
		}
	}
}

// closeOfSession stands among the ids of tasks for the end of the session itself; no id looks like it.
const closeOfSession = ""

// audience is who is subscribed on a handle, and who waits for them to be told of an end. Its zero value has nobody.
type audience struct {
	mu        sync.Mutex
	listeners map[*listener]struct{}
	awaited   map[*hearing]struct{}
}

// listener is one subscription.
type listener struct{ _ byte } // of a size, so that no two have one address

// hearing is a wait for those who listen to be told of an end.
type hearing struct {
	of      string // a task's id, or closeOfSession
	waiting map[*listener]struct{}
	all     chan struct{} // closed when nobody is left who was not told
}

func (a *audience) join() *listener {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listeners == nil {
		a.listeners = map[*listener]struct{}{}
	}
	l := &listener{}
	a.listeners[l] = struct{}{}
	return l
}

// leave takes a listener off: nobody waits for it any more.
func (a *audience) leave(l *listener) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.listeners, l)
	for h := range a.awaited {
		h.heard(l)
	}
}

// told says that a listener has been given an event.
func (a *audience) told(l *listener, e *SessionEvent) {
	of := e.Payload.TaskID
	switch {
	case e.Type == SessionCloseEvent:
		of = closeOfSession
	case e.Type == TaskCompleteEvent, e.Type == TaskErrorEvent && e.Payload.Operation == "" && !e.Payload.Fallback:
	default:
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for h := range a.awaited {
		if h.of == of {
			h.heard(l)
		}
	}
}

// await begins to wait for all who listen now to be told of an end. [audience.forget] ends it.
func (a *audience) await(of string) *hearing {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := &hearing{of: of, waiting: map[*listener]struct{}{}, all: make(chan struct{})}
	for l := range a.listeners {
		h.waiting[l] = struct{}{}
	}
	if len(h.waiting) == 0 {
		close(h.all)
	}
	if a.awaited == nil {
		a.awaited = map[*hearing]struct{}{}
	}
	a.awaited[h] = struct{}{}
	return h
}

func (a *audience) forget(h *hearing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.awaited, h)
}

// heard takes a listener off who was told. The audience's lock is held.
func (h *hearing) heard(l *listener) {
	if _, waits := h.waiting[l]; !waits {
		return
	}
	delete(h.waiting, l)
	if len(h.waiting) == 0 {
		close(h.all)
	}
}

// wait waits until all were told, or for a moment, or until ctx ends.
func (h *hearing) wait(ctx context.Context) {
	late := time.NewTimer(heardFor)
	defer late.Stop()
	select {
	case <-h.all:
	case <-late.C:
	case <-ctx.Done():
	}
}
