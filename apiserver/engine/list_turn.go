package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	// listsPerSecond and listsAtOnce are how many calls for lists one project gets, of the 10 a second and 10 at once that Temporal
	// has for all by default.
	listsPerSecond, listsAtOnce = 5, 5
	// turnTTL is how long a project's turns are remembered: for longer than it takes to have all of them again.
	turnTTL   = time.Minute
	turnBytes = 1 << 20
)

// turns are a project's share of the calls for lists, and of the queries of plans.
type turns struct {
	rate  *rate.Limiter
	open  chan struct{} // holds one for each call under way: fewer than all projects have together, so that others get through
	plans chan struct{} // likewise, for each query of a plan
}

// listTurn waits until the project may have another call for a list: until it is not too many a second, not too many of its own
// are under way, and not too many of all. What does not come soon is rate_limited. leave ends the turn.
func (e *Engine) listTurn(ctx context.Context, project string) (leave func(), err error) {
	soon, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout)
	defer cancel()
	own := e.turns(project)
	if err := own.rate.Wait(soon); err != nil {
		return nil, noTurn(ctx, untilTurn(own.rate),
			fmt.Sprintf("the project asks for more than %d pages of tasks a second; go on after Retry-After", listsPerSecond))
	}
	const busy = "the pages of tasks that are asked for already take long; go on after Retry-After"
	if !enter(soon, own.open) {
		return nil, noTurn(ctx, retryAfter, busy)
	}
	if !enter(soon, e.listing) {
		<-own.open
		return nil, noTurn(ctx, retryAfter, busy)
	}
	return func() { <-e.listing; <-own.open }, nil
}

// enter takes a place, waiting for one until ctx ends. A place that is free is taken whatever ctx says: the turn was worth waiting for.
func enter(ctx context.Context, places chan<- struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
	}
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// noTurn is the refusal of a turn, unless it was the caller who left.
func noTurn(ctx context.Context, after time.Duration, message string) *sdk.Error {
	if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
		return fault(cause)
	}
	return &sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: after, Message: message}
}

// untilTurn is how long it takes for everyone who waits, and one more, to have had a turn.
func untilTurn(l *rate.Limiter) time.Duration {
	seconds := (1 - l.Tokens()) / float64(l.Limit())
	return max(time.Duration(seconds*float64(time.Second)), time.Second)
}

// turns are those of a project.
func (e *Engine) turns(project string) turns {
	e.mu.Lock()
	defer e.mu.Unlock()
	own, ok := e.lists.get(project)
	if !ok {
		own = turns{
			rate: rate.NewLimiter(listsPerSecond, listsAtOnce),
			open: make(chan struct{}, max(e.cfg.MaxLists-1, 1)), plans: make(chan struct{}, max(e.cfg.MaxPlanQueries-1, 1)),
		}
	}
	e.lists.put(project, own, 640+len(project), time.Now())
	return own
}
