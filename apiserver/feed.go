package apiserver

import (
	"context"
	"errors"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
)

// item is what a stream gives: an event, or live output.
type item struct {
	record *eventlog.Record
	shown  *shown // how the record is told; nil: as it is
	output []byte
}

// shown is an event of the log as another stream tells it.
type shown struct {
	name string
	data []byte // one line
	at   uint64 // the position after which to go on
}

// feed is where a stream's items come from. It is for one goroutine.
type feed interface {
	// next waits for an item.
	next(ctx context.Context) (item, error)
	// ready answers an item that is at hand.
	ready() (item, bool)
	// at is the position after which to go on later.
	at() uint64
}

// eventFeed has the events of a follower.
type eventFeed struct{ follower *eventlog.Follower }

func (f eventFeed) next(ctx context.Context) (item, error) {
	r, err := f.follower.Next(ctx)
	return item{record: r}, err
}

func (f eventFeed) ready() (item, bool) {
	r := f.follower.Ready()
	return item{record: r}, r != nil
}

func (f eventFeed) at() uint64 { return f.follower.At() }

// mixedFeed has the events of a follower, and live output between them.
type mixedFeed struct {
	output  <-chan []byte
	events  chan told // has no room: what was not taken is not delivered
	reached uint64
}

// told is an event, an error, or how far the log was read without one.
type told struct {
	record *eventlog.Record
	err    error
	at     uint64
}

// quiet reports whether it is a position alone.
func (t told) quiet() bool { return t.record == nil && t.err == nil }

// newMixedFeed reads the follower until ctx ends; done is closed then. Where nothing comes it tells the position so often.
func newMixedFeed(ctx context.Context, f *eventlog.Follower, output <-chan []byte, often time.Duration) (feed *mixedFeed, done <-chan struct{}) {
	m, ended := &mixedFeed{output: output, events: make(chan told), reached: f.At()}, make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			t := read(ctx, f, often)
			select {
			case m.events <- t:
			case <-ctx.Done():
			}
		}
	}()
	return m, ended
}

// read waits for an event, so long at most.
func read(ctx context.Context, f *eventlog.Follower, atMost time.Duration) told {
	tick, done := context.WithTimeout(ctx, atMost)
	defer done()
	r, err := f.Next(tick)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return told{at: f.At()}
	}
	return told{record: r, err: err}
}

func (m *mixedFeed) next(ctx context.Context) (item, error) {
	for {
		select {
		case e := <-m.events:
			if e.quiet() {
				m.reached = max(m.reached, e.at)
				continue
			}
			return m.take(e)
		case o := <-m.output:
			return item{output: o}, nil
		case <-ctx.Done():
			return item{}, ctx.Err()
		}
	}
}

func (m *mixedFeed) take(e told) (item, error) {
	if e.err == nil && e.record.Sequence > 0 {
		m.reached = e.record.Sequence
	}
	return item{record: e.record}, e.err
}

// ready answers output only: an event's error would be lost.
func (m *mixedFeed) ready() (item, bool) {
	select {
	case o := <-m.output:
		return item{output: o}, true
	default:
		return item{}, false
	}
}

func (m *mixedFeed) at() uint64 { return m.reached }
