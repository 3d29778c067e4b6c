package sdk

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
)

const (
	presenceTry   = 10 * time.Second // of one call
	presenceFirst = 2 * time.Second  // that a worker waits for its registration before it claims
	presenceLast  = 2 * time.Second  // for saying that the agent is about to end, and before that for the call that is under way
	presenceLeast = time.Second      // the shortest gap between two heartbeats, and between two tries
	presenceEarly = 6                // what is new is told after this part of the interval, not before

	defaultPresence = 30 * time.Second
)

// Registry is the registry of agents; a [Client] is one.
type Registry interface {
	RegisterAgent(ctx context.Context, r AgentRequest) (*Agent, error)
	HeartbeatAgent(ctx context.Context, id string, h AgentHeartbeat) (*Agent, error)
}

// PresenceConfig is a [Presence].
type PresenceConfig struct {
	// Registry is told of the agent. Default nil: nobody is.
	Registry Registry
	// Agent is what is registered; ID, Name and Role are required.
	Agent AgentRequest
	// Interval is the time between two heartbeats; the registry may ask for more of them. Default 30 s.
	Interval time.Duration
	// Logger is told once that the registry does not take the agent, and once that it does again. Default [slog.Default].
	Logger *slog.Logger
}

// Presence keeps an agent in the registry of agents: it registers it, says what it works on, and says that it goes. That the registry can
// not be told changes nothing about the agent's work. A [Worker] has one of its own; an agent made of claims and leases may use it as well, and so may one that only delegates.
type Presence struct {
	registry Registry
	every    time.Duration
	log      *slog.Logger
	news     chan struct{} // there is something else to say; one pending notice is enough
	first    chan struct{} // closed once the registry has been told of the agent, or could not be
	begins   sync.Once     // that

	registered bool           // of Run alone, as those below
	unsure     bool           // a registration was not answered, and may have been taken
	said       AgentHeartbeat // last
	failed     string         // what the log was last told of

	mu       sync.Mutex
	request  AgentRequest
	stale    bool           // the request has changed since it was registered
	tasks    map[string]int // what is worked on: by id, how many attempts of it
	draining bool
}

// NewPresence makes a presence that says nothing yet.
func NewPresence(cfg PresenceConfig) *Presence {
	if cfg.Interval <= 0 {
		cfg.Interval = defaultPresence
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Presence{
		registry: cfg.Registry, request: cfg.Agent, every: cfg.Interval, log: cfg.Logger, news: make(chan struct{}, 1), tasks: map[string]int{},
		first: make(chan struct{}),
	}
}

// ForRoles is the request of a process on this host that works for roles: it is registered for the first, and has all of them in its metadata
// where there are several. Without a name its id is its name.
func (a AgentRequest) ForRoles(roles ...Role) AgentRequest {
	if a.Name == "" {
		a.Name = a.ID
	}
	a.Metadata = maps.Clone(a.Metadata)
	if a.Metadata == nil {
		a.Metadata = map[string]string{}
	}
	if host, err := os.Hostname(); err == nil && host != "" {
		a.Metadata["host"] = Cut(host, MaxMetadataValue)
	}
	if len(roles) > 0 {
		a.Role = roles[0]
	}
	if len(roles) > 1 {
		names := make([]string, len(roles))
		for i, role := range roles {
			names[i] = string(role)
		}
		a.Metadata[MetadataRoles] = Cut(strings.Join(names, ","), MaxMetadataValue)
	}
	return a
}

// Begin says that the agent works on a task, until done is called.
func (p *Presence) Begin(taskID string) (done func()) {
	p.add(taskID, 1)
	return func() { p.add(taskID, -1) }
}

func (p *Presence) add(id string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tasks[id] += n; p.tasks[id] == 0 {
		delete(p.tasks, id)
	}
	p.notice()
}

// Drain says that the agent takes no more work, so that no task is to address it. It goes on saying what it works on.
func (p *Presence) Drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining {
		return
	}
	p.draining, p.stale = true, p.request.Addressable
	p.request.Addressable = false
	p.notice()
}

func (p *Presence) notice() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// Heartbeat is what there is to say.
func (p *Presence) Heartbeat() AgentHeartbeat {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := AgentHeartbeat{Status: AgentIdle, CurrentTasks: append([]string{}, slices.Sorted(maps.Keys(p.tasks))...)}
	if len(h.CurrentTasks) > 0 {
		h.Status = AgentBusy
	}
	return h
}

// Run registers the agent and says that it is there until ctx ends; then it lets a call that is under way come back, for 2 s at most, and says,
// within 2 s, that the agent is gone.
func (p *Presence) Run(ctx context.Context) {
	defer p.begin()
	if p.registry == nil {
		p.begin()
		<-ctx.Done()
		return
	}
	defer p.leave(ctx)
	for wait := time.Duration(0); ; {
		if sleep(ctx, wait) != nil {
			return
		}
		err := p.say(ctx)
		p.begin()
		if ctx.Err() != nil {
			return
		}
		p.note(ctx, err)
		if err != nil {
			wait = min(max(2*wait, presenceLeast), p.every)
			continue
		}
		if wait = 0; p.rest(ctx) != nil {
			return
		}
	}
}

// rest waits until there is something to say: another registration at once, what is new soon, and that nothing is new after the interval.
func (p *Presence) rest(ctx context.Context) error {
	began := time.Now()
	due := time.NewTimer(p.every)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-due.C:
			return nil
		case <-p.news:
			if p.outdated() {
				return nil
			}
			wait := p.every
			if h := p.Heartbeat(); h.Status != p.said.Status || !slices.Equal(h.CurrentTasks, p.said.CurrentTasks) {
				wait = min(max(p.every/presenceEarly, presenceLeast), p.every)
			}
			due.Reset(max(wait-time.Since(began), 0))
		}
	}
}

// say registers the agent, unless it is, and says that it is there. What is under way when ctx ends may come back, so that the registry does not
// hear it after the last word.
func (p *Presence) say(ctx context.Context) error {
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(presenceTry, p.every))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		late := time.AfterFunc(presenceLast, cancel)
		context.AfterFunc(call, func() { late.Stop() })
	})()
	for again := false; ctx.Err() == nil; again = true {
		if !p.registered || p.outdated() {
			if err := p.register(call); err != nil || ctx.Err() != nil {
				return err
			}
		}
		said := p.Heartbeat()
		agent, err := p.registry.HeartbeatAgent(call, p.request.ID, said)
		if errors.Is(err, ErrNotFound) && !again {
			p.registered = false // it was removed
			continue
		}
		if err == nil {
			p.said = said
			p.take(agent)
		}
		return err
	}
	return ctx.Err()
}

func (p *Presence) register(ctx context.Context) error {
	p.mu.Lock()
	request, stale := p.request, p.stale
	p.stale = false
	p.mu.Unlock()
	agent, err := p.registry.RegisterAgent(ctx, request)
	if err != nil {
		p.unsure = p.unsure || ctx.Err() != nil
		p.mu.Lock()
		p.stale = p.stale || stale
		p.mu.Unlock()
		return err
	}
	p.registered = true
	p.take(agent)
	return nil
}

// outdated reports whether the registry has another registration than it should.
func (p *Presence) outdated() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stale
}

// take keeps to the interval of the registry where that is shorter.
func (p *Presence) take(a *Agent) {
	if asked := time.Duration(a.HeartbeatIntervalMs) * time.Millisecond; asked > 0 {
		p.every = max(min(p.every, asked), presenceLeast/2)
	}
}

// note tells the log once that the registry does not take the agent, and once that it does again.
func (p *Presence) note(ctx context.Context, err error) {
	switch {
	case err == nil && p.failed != "":
		p.failed = ""
		p.log.InfoContext(ctx, "the registry of agents takes this worker again")
	case err != nil && p.failed != err.Error():
		p.failed = err.Error()
		p.log.WarnContext(ctx, "the worker is not in the registry of agents, which tries again; it works all the same", "error", err)
	}
}

// leave says that the agent is gone.
func (p *Presence) leave(ctx context.Context) {
	if !p.registered && !p.unsure {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), presenceLast)
	defer cancel()
	if _, err := p.registry.HeartbeatAgent(ctx, p.request.ID, AgentHeartbeat{Status: AgentOffline}); err != nil && !errors.Is(err, ErrNotFound) {
		p.log.Debug("the registry of agents was not told that the worker ends", "error", err)
	}
}

// Keep does what [Presence.Run] does, beside the caller, until the end of ctx or until done is called, which waits for the last word. It is for a
// program that is no [Worker], such as a coordinator: defer presence.Keep(ctx)().
func (p *Presence) Keep(ctx context.Context) (done func()) {
	ctx, end := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		p.Run(ctx)
	}()
	return func() {
		end()
		<-over
	}
}

func (p *Presence) begin() { p.begins.Do(func() { close(p.first) }) }

// begun waits until the registry has been told of the agent, or could not be; at most 2 s, and until ctx ends.
func (p *Presence) begun(ctx context.Context) {
	late := time.NewTimer(presenceFirst)
	defer late.Stop()
	select {
	case <-p.first:
	case <-late.C:
	case <-ctx.Done():
	}
}
