package registry

import (
	"context"
	"errors"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	leastLook = 250 * time.Millisecond // between two looks at everybody
	mostLook  = 5 * time.Second
)

// sight is what was seen of an agent's life.
type sight struct {
	sign
	since time.Time // when it was first seen here, later by the gaps in which nobody could look
}

// sign is a sign of life, by the clocks of who wrote it: those of two servers may differ.
type sign struct{ record, beat time.Time }

func signOf(rec *record, b beat) sign { return sign{rec.LastSeenAt, b.At} }

// newTo reports whether one is another sign than the last. A heartbeat that is not remembered any more is none.
func (s sign) newTo(last sign) bool {
	return !s.record.Equal(last.record) || !s.beat.IsZero() && !s.beat.Equal(last.beat)
}

// Run looks at everybody until ctx ends: who has missed three heartbeats becomes offline, and who has been that for [Config.Keep] is
// removed.
func (r *Registry) Run(ctx context.Context) {
	every := min(max(r.cfg.Interval/4, leastLook), mostLook)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	failed := false
	for {
		err := r.Look(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failed:
			r.log.Warn("the registry of agents can not be looked at; nobody is taken for offline meanwhile", "error", err)
		case err == nil && failed:
			r.log.Info("the registry of agents can be looked at again")
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Look looks at everybody once. One call at a time. One that fails changes nothing by itself: what it did not see is a gap between those before
// and after it. One of more than half an interval is no time in which an agent was not heard of: nobody could have heard of it.
func (r *Registry) Look(ctx context.Context) error {
	records, err := r.agents.List(ctx, ">")
	var beats map[string]beat
	if err == nil {
		beats, _, err = r.lives(ctx, "*")
	}
	if err != nil {
		return err
	}
	for _, e := range r.overdue(records, beats) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := r.tend(ctx, e.key, e.rec); err != nil {
			r.log.WarnContext(ctx, "an agent could not be taken care of; it is tried again", "agent", e.key, "error", err)
		}
	}
	return nil
}

// seen is an agent that something is to be done about.
type seen struct {
	key string
	rec record
}

// overdue enters what was seen and answers of whom something is to be done: who has missed three heartbeats, is to be removed, or has
// something untold since the last look.
func (r *Registry) overdue(records []eventlog.Entry, beats map[string]beat) []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.cfg.Now()
	gap := at.Sub(r.lastLook)
	if gap < 0 {
		clear(r.sights)
	}
	r.lastLook = at
	next := make(map[string]sight, len(records))
	var list []seen
	for _, e := range records {
		rec := read[record](e.Value)
		if rec.ID == "" {
			continue
		}
		s, known := r.sights[e.Key]
		switch now := signOf(&rec, beats[e.Key]); {
		case !known || now.newTo(s.sign):
			s = sight{sign: now, since: at}
		case gap > max(rec.interval(), r.cfg.Interval)/2:
			s.since = s.since.Add(gap)
		}
		next[e.Key] = s
		offline := rec.Status == sdk.AgentOffline
		switch {
		case !offline && at.Sub(s.since) >= Missed*rec.interval(),
			offline && at.Sub(rec.ChangedAt) >= r.cfg.Keep,
			len(rec.Untold) > 0 && known:
			list = append(list, seen{e.Key, rec})
		}
	}
	r.sights = next
	return list
}

// tend does what is to be done about an agent.
func (r *Registry) tend(ctx context.Context, key string, rec record) error {
	project, id, _ := parseKey(key)
	if rec.Status == sdk.AgentOffline && len(rec.Untold) == 0 && r.cfg.Now().Sub(rec.ChangedAt) >= r.cfg.Keep {
		return r.remove(ctx, project, id)
	}
	changed, err := r.change(ctx, project, id, func(now *record) (bool, error) {
		if now.Status == sdk.AgentOffline || rec.Status == sdk.AgentOffline {
			return false, nil
		}
		last, err := r.alive.Get(ctx, aliveKey(project, id, beatWord))
		if err != nil {
			return false, err
		}
		b := read[beat](last.Value)
		if !r.isOverdue(key, signOf(now, b), now.interval()) { // it was heard of meanwhile
			return false, nil
		}
		return true, now.turn(project, sdk.AgentOffline, reasonMissed, b.At, r.now())
	})
	if errors.Is(err, sdk.ErrNotFound) {
		return nil
	}
	if err == nil && changed.Status == sdk.AgentOffline && rec.Status != sdk.AgentOffline {
		r.log.InfoContext(ctx, "an agent is offline", "project", project, "agent", id, "role", changed.Role)
	}
	return err
}

// isOverdue reports whether a sign of life is the one that was seen three intervals ago.
func (r *Registry) isOverdue(key string, last sign, interval time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, known := r.sights[key]
	return known && !last.newTo(s.sign) && r.cfg.Now().Sub(s.since) >= Missed*interval
}

// remove removes an agent that has been offline for too long.
func (r *Registry) remove(ctx context.Context, project, id string) error {
	rec, revision, err := r.find(ctx, project, id)
	switch {
	case errors.Is(err, sdk.ErrNotFound):
		return nil
	case err != nil:
		return err
	case rec.Status != sdk.AgentOffline || len(rec.Untold) > 0 || r.cfg.Now().Sub(rec.ChangedAt) < r.cfg.Keep:
		return nil
	}
	err = r.erase(ctx, project, id, revision)
	if errors.Is(err, sdk.ErrConflict) {
		return nil // it came back
	}
	return err
}
