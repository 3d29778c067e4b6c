package registry

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

const (
	askedEvery  = 10 * time.Second // how often it is written that an agent asks for work
	askedWrites = 8                // such writes under way at once; what comes beyond is written with the next
	maxAsked    = 10_000           // agents that are remembered; beyond it they are forgotten, which costs a write each
	askedTry    = 5 * time.Second
)

// asked remembers of whom it was written lately that it asks for work.
type asked struct {
	places chan struct{}

	mu   *sync.Mutex
	when map[string]time.Time
}

func newAsked() asked {
	return asked{places: make(chan struct{}, askedWrites), mu: &sync.Mutex{}, when: map[string]time.Time{}}
}

// take reports whether it is to be written that an agent asks for work, and takes a place to do so; done gives that back.
func (a asked) take(key string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last, known := a.when[key]; known && now.Sub(last) < askedEvery && !now.Before(last) {
		return false
	}
	select {
	case a.places <- struct{}{}:
	default:
		return false
	}
	if len(a.when) >= maxAsked {
		clear(a.when)
	}
	a.when[key] = now
	return true
}

func (a asked) done() { <-a.places }

// Polled says that an agent asks for work over HTTP, now. It does not wait; of one that asks all the time it is written every ten seconds, and
// of one that is not registered not at all.
func (r *Registry) Polled(project, id string) {
	now := r.now()
	if !r.asked.take(agentKey(project, id), now) {
		return
	}
	go func() {
		defer r.asked.done()
		ctx, cancel := context.WithTimeout(context.Background(), askedTry)
		defer cancel()
		if _, _, err := r.find(ctx, project, id); err != nil {
			return
		}
		value, err := json.Marshal(poll{At: now})
		if err == nil {
			err = r.alive.Put(ctx, aliveKey(project, id, pollWord), value)
		}
		if err != nil {
			r.log.Debug("it was not written that an agent asks for work", "project", project, "agent", id, "error", err)
		}
	}()
}
