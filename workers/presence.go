package workers

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	presenceTry   = 10 * time.Second // of one call
	presenceLast  = 2 * time.Second  // for saying that the worker is about to end
	presenceLeast = time.Second      // the shortest gap between two heartbeats, and between two tries
	presenceEarly = 6                // what is new is told after this part of the interval, not before
)

// presencePort is the registry of agents; an [sdk.Client] is one.
type presencePort interface {
	RegisterAgent(ctx context.Context, r sdk.AgentRequest) (*sdk.Agent, error)
	HeartbeatAgent(ctx context.Context, id string, h sdk.AgentHeartbeat) (*sdk.Agent, error)
}

// registration is what a worker says of itself. A worker of several roles is registered for the first.
func (c Config) registration() sdk.AgentRequest {
	r := sdk.AgentRequest{
		ID: c.AgentID, Name: c.Name, Capabilities: c.Capabilities, Slots: c.Slots, Addressable: c.Addressable, Metadata: map[string]string{},
	}
	if r.Name == "" {
		r.Name = c.AgentID
	}
	if host, err := os.Hostname(); err == nil && host != "" {
		r.Metadata["host"] = sdk.Cut(host, sdk.MaxMetadataValue)
	}
	if len(c.Roles) > 0 {
		r.Role = c.Roles[0]
	}
	if len(c.Roles) > 1 {
		names := make([]string, len(c.Roles))
		for i, role := range c.Roles {
			names[i] = string(role)
		}
		r.Metadata["roles"] = sdk.Cut(strings.Join(names, ","), sdk.MaxMetadataValue)
	}
	return r
}

// working is what a worker's handlers work on.
type working struct {
	news chan struct{} // it has changed; one pending notice is enough

	mu    sync.Mutex
	tasks map[string]int // by id, how many attempts of it
}

func newWorking() *working { return &working{news: make(chan struct{}, 1), tasks: map[string]int{}} }

// begin enters a task; done takes it out again.
func (w *working) begin(id string) (done func()) {
	w.add(id, 1)
	return func() { w.add(id, -1) }
}

func (w *working) add(id string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tasks[id] += n; w.tasks[id] == 0 {
		delete(w.tasks, id)
	}
	notice(w.news)
}

// heartbeat is what there is to say.
func (w *working) heartbeat() sdk.AgentHeartbeat {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := sdk.AgentHeartbeat{Status: sdk.AgentIdle, CurrentTasks: append([]string{}, slices.Sorted(maps.Keys(w.tasks))...)}
	if len(h.CurrentTasks) > 0 {
		h.Status = sdk.AgentBusy
	}
	return h
}

// presence keeps a worker in the registry of agents. That it cannot changes nothing about the worker's work.
type presence struct {
	port    presencePort
	request sdk.AgentRequest
	every   time.Duration // between two heartbeats, unless the registry asks for more of them
	working *working
	log     *slog.Logger

	registered bool
	said       sdk.AgentHeartbeat // last
	failed     string             // what the log was last told of
}

// run registers the worker and says that it is there until ctx ends; then it says that the worker is gone.
func (p *presence) run(ctx context.Context) {
	defer p.leave(ctx)
	for wait := time.Duration(0); ; {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		err := p.say(ctx)
		if ctx.Err() != nil {
			return
		}
		p.note(ctx, err)
		if err != nil {
			wait = min(max(2*wait, presenceLeast), p.every)
			continue
		}
		if wait = p.rest(ctx); wait < 0 {
			return
		}
	}
}

// rest waits until there is something to say: what is new is said soon, and that nothing is new after the interval. Negative is the end.
func (p *presence) rest(ctx context.Context) time.Duration {
	began := time.Now()
	due := time.NewTimer(p.every)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return -1
		case <-due.C:
			return 0
		case <-p.working.news:
			if h := p.working.heartbeat(); h.Status != p.said.Status || !slices.Equal(h.CurrentTasks, p.said.CurrentTasks) {
				return max(max(p.every/presenceEarly, presenceLeast)-time.Since(began), 0)
			}
		}
	}
}

// say registers the worker, unless it is, and says that it is there.
func (p *presence) say(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, presenceTry)
	defer cancel()
	for again := false; ; again = true {
		if !p.registered {
			agent, err := p.port.RegisterAgent(ctx, p.request)
			if err != nil {
				return err
			}
			p.registered = true
			p.take(agent)
		}
		said := p.working.heartbeat()
		agent, err := p.port.HeartbeatAgent(ctx, p.request.ID, said)
		if errors.Is(err, sdk.ErrNotFound) && !again {
			p.registered = false // it was removed
			continue
		}
		if err == nil {
			p.said = said
			p.take(agent)
		}
		return err
	}
}

// take keeps to the interval of the registry where that is shorter.
func (p *presence) take(a *sdk.Agent) {
	if asked := time.Duration(a.HeartbeatIntervalMs) * time.Millisecond; asked > 0 {
		p.every = max(min(p.every, asked), presenceLeast/2)
	}
}

// note tells the log once that the registry does not take the worker, and once that it does again.
func (p *presence) note(ctx context.Context, err error) {
	switch {
	case err == nil && p.failed != "":
		p.failed = ""
		p.log.InfoContext(ctx, "the registry of agents takes this worker again")
	case err != nil && p.failed != err.Error():
		p.failed = err.Error()
		p.log.WarnContext(ctx, "the worker is not in the registry of agents, which tries again; it works all the same", "error", err)
	}
}

// leave says that the worker is gone.
func (p *presence) leave(ctx context.Context) {
	if !p.registered {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), presenceLast)
	defer cancel()
	if _, err := p.port.HeartbeatAgent(ctx, p.request.ID, sdk.AgentHeartbeat{Status: sdk.AgentOffline}); err != nil && !errors.Is(err, sdk.ErrNotFound) {
		p.log.Debug("the registry of agents was not told that the worker ends", "error", err)
	}
}

// present keeps the worker in the registry until the end of ctx, if it knows of a service; done waits until the registry was told of the end.
func (w *roleWorker) present(ctx context.Context) (done func()) {
	if w.registry == nil {
		return func() {}
	}
	ctx, end := context.WithCancel(ctx)
	p := &presence{
		port: w.registry, request: w.cfg.registration(), every: time.Duration(w.cfg.HeartbeatIntervalMs) * time.Millisecond,
		working: w.working, log: w.cfg.Logger,
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		p.run(ctx)
	}()
	return func() {
		end()
		<-over
	}
}
