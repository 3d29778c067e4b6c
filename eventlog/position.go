package eventlog

import (
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

// First is the first event that is kept.
func First() Position { return Position{} }

// After is the event after a sequence. Reading from before the first event that is kept is history_expired.
func After(sequence uint64) Position { return Position{kind: fromAfter, after: sequence} }

// Since is the first event that the log took at t or later.
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

// begin answers the position before the first event to read, or the time to begin at, of a log that holds first to last.
func (p Position) begin(first, last uint64) (after uint64, since time.Time, err error) {
	switch p.kind {
	case fromNow:
		return last, time.Time{}, nil
	case fromSince:
		return first - 1, p.since, nil
	case fromAfter:
		if p.after+1 < first {
			return 0, time.Time{}, expired(first)
		}
		return p.after, time.Time{}, nil
	default:
		return first - 1, time.Time{}, nil
	}
}
