package registry

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	askedEvery   = 10 * time.Second // how often it is written that an agent asks for work
	askedWriters = 4                // that write it at once
	maxAsked     = 10_000           // agents that are remembered; beyond it they are forgotten, which costs a write each
	askedTry     = 5 * time.Second
	foundFor     = time.Minute // for how long an agent that was found registered is not looked for again
)

// caller is an agent that asks for work.
type caller struct{ project, id string }

// asked remembers of whom it was written lately that it asks for work, and of whom it is still to be written.
type asked struct {
	mu      sync.Mutex
	when    map[caller]time.Time
	pending map[caller]time.Time
	found   map[caller]time.Time // when it was found registered last
	writers int                  // those that write what is pending, until nothing is
}

func newAsked() *asked {
	return &asked{when: map[caller]time.Time{}, pending: map[caller]time.Time{}, found: map[caller]time.Time{}}
}

// take notes that an agent asks for work. It reports whether the caller is to write what is pending: fewer than may do.
func (a *asked) take(who caller, now time.Time) (write bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last, known := a.when[who]; known && now.Sub(last) < askedEvery && !now.Before(last) {
		return false
	}
	if len(a.when) >= maxAsked {
		clear(a.when)
	}
	if _, known := a.pending[who]; !known && len(a.pending) >= maxAsked {
		return false // it says so again
	}
	a.when[who], a.pending[who] = now, now
	if a.writers >= askedWriters {
		return false
	}
	a.writers++
	return true
}

// next is somebody of whom it is to be written; without one the writer is done.
func (a *asked) next() (who caller, at time.Time, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for who, at := range a.pending {
		delete(a.pending, who)
		return who, at, true
	}
	a.writers--
	return caller{}, time.Time{}, false
}

// forget has the agent be looked for, and it be written, when it asks the next time.
func (a *asked) forget(who caller) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.when, who)
	delete(a.found, who)
}

// isRegistered reports whether the agent was found registered lately.
func (a *asked) isRegistered(who caller, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, known := a.found[who]
	return known && now.Sub(at) < foundFor && !now.Before(at)
}

// sees notes that the agent was found registered.
func (a *asked) sees(who caller, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.found) >= maxAsked {
		clear(a.found)
	}
	a.found[who] = now
}

// Polled says that an agent asks for work over HTTP, now. It does not wait; of one that asks all the time it is written every ten seconds, and
// of one that is not registered not at all.
func (r *Registry) Polled(project, id string) {
	if !r.asked.take(caller{project, id}, r.now()) {
		return
	}
	go func() {
		for {
			who, at, ok := r.asked.next()
			if !ok {
				return
			}
			if err := r.writePoll(who, at); err != nil {
				r.asked.forget(who)
				if !errors.Is(err, sdk.ErrNotFound) {
					r.log.Debug("it was not written that an agent asks for work", "project", who.project, "agent", who.id, "error", err)
				}
			}
		}
	}()
}

func (r *Registry) writePoll(who caller, at time.Time) error {
	ctx, cancel := context.WithTimeout(context.Background(), askedTry)
	defer cancel()
	if !r.asked.isRegistered(who, at) {
		if _, _, err := r.find(ctx, who.project, who.id); err != nil {
			return err
		}
		r.asked.sees(who, at)
	}
	value, err := json.Marshal(poll{At: at})
	if err != nil {
		return err
	}
	return r.alive.Put(ctx, aliveKey(who.project, who.id, pollWord), value)
}
