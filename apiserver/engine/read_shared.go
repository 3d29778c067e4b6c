package engine

import (
	"context"
	"time"
)

// glance tells reads for glances apart from those for the whole session or plan.
const glance = "glance "

// readShared answers what is known of a run, or reads it for the cache; whoever asks at the same time shares the answer, and the read goes on
// when the first asker goes away. flight tells the reads for one cache from those for another, size is about what a value takes in memory, and
// stale tells one that is old already: it is kept from when that was known, since it took long to know.
func readShared[T any](
	ctx context.Context, e *Engine, known *cache[T], flight, workflowID string, size func(T) int, stale func(T) bool, read func(context.Context) (T, error),
) (none T, err error) {
	if value, ok := known.get(workflowID); ok {
		return value, nil
	}
	answer := e.flight.DoChan(flight+workflowID, guarded(func() (any, error) {
		if value, ok := known.get(workflowID); ok { // read by another one since the caller looked
			return value, nil
		}
		ctx, cancel := context.WithTimeout(e.life, e.cfg.CallTimeout)
		defer cancel()
		asOf := time.Now()
		value, err := read(ctx)
		if err != nil {
			return nil, err
		}
		if stale(value) {
			asOf = time.Now()
		}
		known.put(workflowID, value, size(value), asOf)
		return value, nil
	}))
	select {
	case r := <-answer:
		if r.Err != nil {
			return none, fault(r.Err)
		}
		return r.Val.(T), nil
	case <-ctx.Done():
		return none, fault(context.Cause(ctx))
	}
}
