package apiserver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	addressedFor   = 10 * time.Second       // for how long an answer of the registry serves claims
	addressedAgain = time.Second            // until the registry is asked again after it gave none
	addressedTry   = 200 * time.Millisecond // that a claim waits for the registry
	maxAddressed   = 10_000                 // agents that are remembered; beyond it they are forgotten, which costs a question each
	askingEvery    = 30 * time.Second       // how often a claim that waits says that its agent still asks
)

// addressees remembers of agents that claim whether they may be addressed, so that claims do not go as slow as the registry does, and what is
// known stays known while it is away.
type addressees struct {
	mu  sync.Mutex
	all map[string]addressee // by project and agent
}

type addressee struct {
	agent  sdk.Agent // as far as it matters here
	serves time.Time // until when
}

func newAddressees() *addressees { return &addressees{all: map[string]addressee{}} }

func (a *addressees) get(key string) (known addressee) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[key]
}

func (a *addressees) put(key string, agent sdk.Agent, serves time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.all) >= maxAddressed {
		clear(a.all)
	}
	a.all[key] = addressee{
		sdk.Agent{Role: agent.Role, Addressable: agent.Addressable, Metadata: map[string]string{sdk.MetadataRoles: agent.Metadata[sdk.MetadataRoles]}}, serves,
	}
}

// forget has the registry be asked at the agent's next claim: it was registered or removed by this server.
func (a *addressees) forget(project, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.all, project+"/"+id)
}

// addressed says that an agent asks for work of a role over HTTP now, and reports whether it may be addressed: it is registered so, for this
// role. That is known from at most ten seconds ago, or from before where the registry does not answer in time; one that it has never told
// of is not.
func (s *Server) addressed(ctx context.Context, project string, role sdk.Role, id string) bool {
	if s.cfg.Agents == nil {
		return false
	}
	s.cfg.Agents.Polled(project, id)
	key, now := project+"/"+id, time.Now()
	known := s.addressees.get(key)
	if now.After(known.serves) {
		known.agent = s.askOfAddressee(ctx, key, known.agent, project, id)
	}
	return known.agent.Addressable && known.agent.Serves(role)
}

// askOfAddressee asks the registry of an agent, for a moment, and remembers the answer; without one it is as before.
func (s *Server) askOfAddressee(ctx context.Context, key string, before sdk.Agent, project, id string) sdk.Agent {
	try, cancel := context.WithTimeout(ctx, addressedTry)
	defer cancel()
	agent, err := s.cfg.Agents.Get(try, project, id)
	switch {
	case err == nil || isNotFound(err):
		s.addressees.put(key, agent, time.Now().Add(addressedFor))
		return agent
	case errors.Is(ctx.Err(), context.Canceled): // the caller has gone, which says nothing of the registry
		return before
	default:
		s.addressees.put(key, before, time.Now().Add(addressedAgain))
		return before
	}
}

// asking says again and again that an agent asks for work over HTTP, until done is called.
func (s *Server) asking(project, id string) (done func()) {
	if s.cfg.Agents == nil {
		return func() {}
	}
	return every(askingEvery, func() { s.cfg.Agents.Polled(project, id) })
}

// every calls f again and again until done, without a goroutine that waits in between: a thousand claims wait at once. A call that is under
// way then goes on.
func every(gap time.Duration, f func()) (done func()) {
	var mu sync.Mutex
	over := false
	var again *time.Timer
	mu.Lock()
	defer mu.Unlock()
	again = time.AfterFunc(gap, func() {
		f()
		mu.Lock()
		defer mu.Unlock()
		if !over {
			again.Reset(gap)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		again.Stop()
	}
}
