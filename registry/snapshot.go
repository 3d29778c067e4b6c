package registry

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	snapshotFor   = time.Second      // for how long a look at a project serves
	snapshotTry   = 10 * time.Second // bounds one, which is shared: it does not end with who asked first
	snapshotsOnce = 4                // projects that are looked at at once; more wait
	maxSnapshots  = 1000             // projects that are remembered; beyond it they are forgotten, which costs a look each
)

// snapshot is what the buckets have of a project. Nothing in it is changed.
type snapshot struct {
	at      time.Time
	records []record
	bytes   map[string]int // by id, what the record takes
	beats   map[string]beat
}

// snapshots shares looks at projects: many wait for an agent of the same project, and each look costs NATS two consumers.
type snapshots struct {
	flight singleflight.Group
	places chan struct{}

	mu  sync.Mutex
	all map[string]*snapshot
}

func newSnapshots() *snapshots {
	return &snapshots{places: make(chan struct{}, snapshotsOnce), all: map[string]*snapshot{}}
}

// fresh is a look that still serves, or nil. That goes by the machine's clock: a look takes its time, whatever the registry's clock says.
func (s *snapshots) fresh(project string) *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seen := s.all[project]; seen != nil && time.Since(seen.at) < snapshotFor {
		return seen
	}
	return nil
}

func (s *snapshots) keep(project string, seen *snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, old := range s.all {
		if time.Since(old.at) >= snapshotFor {
			delete(s.all, p)
		}
	}
	if len(s.all) >= maxSnapshots {
		clear(s.all)
	}
	s.all[project] = seen
}

// drop has the next look at a project be a new one.
func (s *snapshots) drop(project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, project)
}

// snapshot answers what there is of a project, at most snapshotFor ago.
func (r *Registry) snapshot(ctx context.Context, project string) (*snapshot, error) {
	if seen := r.shared.fresh(project); seen != nil {
		return seen, nil
	}
	answer := r.shared.flight.DoChan(project, func() (any, error) {
		if seen := r.shared.fresh(project); seen != nil {
			return seen, nil
		}
		look, cancel := context.WithTimeout(context.WithoutCancel(ctx), snapshotTry)
		defer cancel()
		seen, err := r.lookAtProject(look, project)
		if err == nil {
			r.shared.keep(project, seen)
		}
		return seen, err
	})
	select {
	case got := <-answer:
		seen, ok := got.Val.(*snapshot)
		if got.Err == nil && !ok {
			return nil, sdk.Errorf(sdk.CodeInternal, "a look at the agents of %s answered nothing", project)
		}
		return seen, got.Err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// lookAtProject reads both buckets, when it is its turn.
func (r *Registry) lookAtProject(ctx context.Context, project string) (*snapshot, error) {
	select {
	case r.shared.places <- struct{}{}:
		defer func() { <-r.shared.places }()
	case <-ctx.Done():
		return nil, sdk.Errorf(sdk.CodeUnavailable, "too many projects' agents are looked at at once; try again")
	}
	at := time.Now()
	entries, err := r.agents.List(ctx, agentKey(project, "*"))
	if err != nil {
		return nil, err
	}
	beats, _, err := r.lives(ctx, project)
	if err != nil {
		return nil, err
	}
	seen := &snapshot{at: at, bytes: bytesOf(entries), beats: make(map[string]beat, len(beats))}
	for _, e := range entries {
		if rec := read[record](e.Value); rec.ID != "" {
			seen.records = append(seen.records, rec)
			seen.beats[rec.ID] = beats[e.Key]
		}
	}
	return seen, nil
}

// bytesOf is what each record takes, by id.
func bytesOf(entries []eventlog.Entry) map[string]int {
	bytes := make(map[string]int, len(entries))
	for _, e := range entries {
		_, id, _ := parseKey(e.Key)
		bytes[id] = len(e.Value)
	}
	return bytes
}
