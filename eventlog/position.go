package eventlog

import (
	"context"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Position says where in a project's log reading begins. Its zero value is [First].
type Position struct {
	kind  positionKind
	after uint64
	since time.Time
}

type positionKind int

const (
	fromFirst positionKind = iota
	fromAfter
	fromSince
	fromNow
)

// First is the first event that is kept when reading begins.
func First() Position { return Position{} }

// After is the event after a sequence. Reading from before the first event that is kept, or from beyond the last, is history_expired.
func After(sequence uint64) Position { return Position{kind: fromAfter, after: sequence} }

// Since is the first event that the log took at t or later, of those that are kept when reading begins.
func Since(t time.Time) Position { return Position{kind: fromSince, since: t} }

// Now is the next event.
func Now() Position { return Position{kind: fromNow} }

// expired says that what a reader asks for is not kept any more, and what is.
func expired(first uint64) *sdk.Error {
	e := sdk.Errorf(sdk.CodeHistoryExpired, "the log does not go back that far: its first event is %s; read after %s, or since a time",
		sdk.FormatSequence(first), sdk.FormatSequence(first-1))
	e.FirstSequence = first
	return e
}

// renewed says that the log is not the one that a reader's position is of: it was deleted, or restored as it was before. Else the
// position would be one that the log has not come to.
func renewed(first uint64) *sdk.Error {
	e := sdk.Errorf(sdk.CodeHistoryExpired, "the log was made anew or set back: its first event is %s; read after %s, or since a time",
		sdk.FormatSequence(first), sdk.FormatSequence(first-1))
	e.FirstSequence = first
	return e
}

// has answers nil where everything after a position is there, and what became of it where it is not: history_expired.
func (e extent) has(after uint64) error {
	switch {
	case after < e.first-1:
		return expired(e.first)
	case after > e.last:
		return renewed(e.first)
	default:
		return nil
	}
}

// start is where reading begins.
type start struct {
	after uint64
	// loose says that whatever is first when reading begins is as good: retention may have come further than after.
	loose bool
}

// start finds a position in the project's log.
func (p *project) start(ctx context.Context, from Position, e extent) (start, error) {
	switch from.kind {
	case fromNow:
		return start{after: e.last}, nil
	case fromSince:
		r, err := p.log.look(ctx, streamName(p.id), ask{Since: &from.since, Next: everything(p.id)})
		if err != nil {
			return start{}, err
		}
		if r == nil {
			return start{after: e.last}, nil
		}
		return start{after: r.Sequence - 1, loose: true}, nil
	case fromAfter:
		return start{after: from.after}, e.has(from.after)
	default:
		return start{after: e.first - 1, loose: true}, nil
	}
}
