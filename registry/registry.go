package registry

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	agentsBytes = 256 << 20
	aliveBytes  = 128 << 20
	recordBytes = 512 << 10 // of one record, with the events that are still to be told
	beatBytes   = 16 << 10
	// projectBytes bounds the records of one project, so that no project takes the bucket from the others.
	projectBytes = 8 << 20
	// aliveFor is how long a heartbeat is remembered: longer than three of the longest intervals, so that nobody is forgotten who is not
	// offline.
	aliveFor = 4 * MaxInterval

	// crampedRest is how often the log is told that there is no room for heartbeats.
	crampedRest = 10 * time.Minute
	// freshPoll is how recently an agent must have asked for work to count.
	freshPoll = 90 * time.Second
)

// Registry is the registry of the agents of every project. Projects, organizations and ids are well-formed when they get here. It is safe
// for concurrent use, and so are several of one NATS, in as many processes.
type Registry struct {
	cfg    Config
	events *eventlog.Log
	agents *eventlog.Bucket
	alive  *eventlog.Bucket
	log    *slog.Logger

	asked  *asked     // by whom work was asked for lately, here
	shared *snapshots // of projects, for those who look for an agent
	handed *handed    // whom they found

	mu       sync.Mutex
	sights   map[string]sight // by key, what [Registry.Look] saw of whom
	lastLook time.Time        // when it last saw everything

	crampedAt time.Time // when the log was last told that there is no room for heartbeats
}

// New makes a registry in the log's NATS. It calls nobody and needs no closing; [Registry.Run] lets it notice who is offline.
func New(events *eventlog.Log, cfg Config) *Registry {
	cfg = cfg.withDefaults()
	return &Registry{
		cfg: cfg, events: events, log: cfg.Logger, sights: map[string]sight{}, asked: newAsked(), shared: newSnapshots(), handed: newHanded(),
		agents: events.Bucket(eventlog.BucketConfig{
			Name: "rolecall_agents", Description: "Which agents are registered.", MaxBytes: agentsBytes, MaxValue: recordBytes,
		}),
		alive: events.Bucket(eventlog.BucketConfig{
			Name: "rolecall_alive", Description: "Which agents are there.", MaxBytes: aliveBytes, MaxValue: beatBytes, Expire: aliveFor, Memory: true,
		}),
	}
}

func noAgent() error {
	return sdk.Errorf(sdk.CodeNotFound, "there is no such agent in this project: it was never registered, was removed, or was offline for too long")
}

// Get answers an agent.
func (r *Registry) Get(ctx context.Context, project, id string) (sdk.Agent, error) {
	rec, _, err := r.find(ctx, project, id)
	if err != nil {
		return sdk.Agent{}, err
	}
	return r.answer(ctx, project, rec)
}

// find answers an agent's record and the revision that changes of it ask for.
func (r *Registry) find(ctx context.Context, project, id string) (*record, uint64, error) {
	e, err := r.agents.Get(ctx, agentKey(project, id))
	if err != nil {
		return nil, 0, err
	}
	if e.Value == nil {
		return nil, e.Revision, noAgent()
	}
	rec := read[record](e.Value)
	if rec.ID != id {
		return nil, e.Revision, sdk.Errorf(sdk.CodeInternal, "the record of the agent %s of %s can not be read", id, project)
	}
	return &rec, e.Revision, nil
}

// answer is a record with what is known of the agent's life.
func (r *Registry) answer(ctx context.Context, project string, rec *record) (sdk.Agent, error) {
	b, err := r.alive.Get(ctx, aliveKey(project, rec.ID, beatWord))
	if err != nil {
		return sdk.Agent{}, err
	}
	p, err := r.alive.Get(ctx, aliveKey(project, rec.ID, pollWord))
	if err != nil {
		return sdk.Agent{}, err
	}
	return rec.agent(read[beat](b.Value), read[poll](p.Value), r.cfg.Now()), nil
}

// save writes a record in the place of the one of a revision.
func (r *Registry) save(ctx context.Context, project string, rec *record, revision uint64) error {
	value, err := json.Marshal(rec)
	if err != nil {
		return sdk.Errorf(sdk.CodeInternal, "a record of an agent: %v", err)
	}
	return r.agents.Replace(ctx, agentKey(project, rec.ID), value, revision)
}

// now is the time as records have it.
func (r *Registry) now() time.Time { return r.cfg.Now().UTC() }
