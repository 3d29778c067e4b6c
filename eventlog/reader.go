package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	maxFetch      = 500              // events
	fetchBytes    = 4 << 20          // of one fetch, at most
	followBytes   = largestEvent     // of one fetch for a follower: there are many, and each holds what it has not answered
	fetchTimeout  = 2 * time.Second  // for what the server has
	readerIdle    = 10 * time.Second // after which the server forgets a consumer that nobody reads from
	firstRetry    = 10 * time.Millisecond
	retriesAtMost = 2 * time.Second
)

// reader reads what is kept of a subject, from a position up to one that the stream's leader had. It reads through every loss of the
// connection and of its consumer, and answers history_expired where events that it may have had to read are gone.
type reader struct {
	log     *Log
	stream  jetstream.Stream
	name    string // the stream's
	subject string
	created time.Time // the stream's
	upTo    uint64
	at      uint64 // read so far
	number  int    // of the last event, within its story
	begins  bool   // nothing was read, and whatever is first is as good as what follows at
	ended   bool   // the consumer has come to what is after upTo
	patchy  bool   // events may be gone from the stream's middle
	bytes   int    // of one fetch, at most
	narrow  bool   // the last fetch brought nothing: what is next may be larger than bytes, which the client library does not tell

	consumer  jetstream.Consumer // nil before it is made
	made      bool               // there was one before
	delivered uint64             // by the consumer
	pending   uint64             // what the consumer has
}

// reading says what a reader reads.
type reading struct {
	stream  jetstream.Stream
	subject string
	from    start
	upTo    uint64
	created time.Time // the stream's
	number  int       // of the last event before, where the subject is a story's; 0 for unknown
	patchy  bool      // events may be gone from the stream's middle
	bytes   int       // of one fetch; 0 is fetchBytes
}

func (l *Log) newReader(r reading) *reader {
	return &reader{
		log: l, stream: r.stream, name: r.stream.CachedInfo().Config.Name, subject: r.subject, created: r.created, upTo: r.upTo,
		at: r.from.after, number: r.number, begins: r.from.loose, patchy: r.patchy, bytes: cmp.Or(r.bytes, fetchBytes),
	}
}

// taken is a record with the header of its message.
type taken struct {
	*Record
	header nats.Header
}

// page answers the next records; none say that all were read.
func (r *reader) page(ctx context.Context) ([]taken, error) {
	wait := firstRetry
	for waited := time.Duration(0); r.at < r.upTo; waited += wait {
		base := r.at
		page, err := r.fetch(ctx)
		if len(page) > 0 {
			return page, r.missed(ctx, base, page)
		}
		more := !r.ended
		if err == nil && more && r.pending == 0 {
			more, err = r.more(ctx)
		}
		if err == nil && !more {
			r.at = r.upTo
			return nil, r.missed(ctx, base, nil)
		}
		r.drop()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if _, final := errors.AsType[*sdk.Error](err); final || isGone(err) || waited >= retriesAtMost {
			return nil, r.failed(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait *= 2
	}
	return nil, nil
}

func (r *reader) failed(err error) error {
	if err == nil {
		return unavailable("the event log's copies are behind; try again")
	}
	return fmt.Errorf("read the event log: %w", err)
}

// fetch answers what comes next without a gap, or nothing.
func (r *reader) fetch(ctx context.Context) (page []taken, err error) {
	if r.ended {
		return nil, nil
	}
	if err := r.open(ctx); err != nil || r.pending == 0 {
		return nil, err
	}
	ctx, cancel := r.log.during(ctx, fetchTimeout)
	defer cancel()
	most, room := int(min(maxFetch, r.pending)), r.bytes
	if r.narrow {
		most, room, r.narrow = 1, fetchBytes, false
	}
	batch, err := r.consumer.Fetch(most, jetstream.FetchMaxBytes(room), jetstream.FetchContext(ctx))
	if err != nil {
		return nil, err
	}
	for m := range batch.Messages() {
		record, meta, err := recordOf(m)
		if err != nil {
			return nil, err
		}
		if meta.Sequence.Consumer != r.delivered+1 { // what is between was lost on the way
			r.drop()
			return page, nil
		}
		r.delivered, r.pending = meta.Sequence.Consumer, meta.NumPending
		if record.Sequence > r.upTo {
			r.ended = true
			return page, nil
		}
		r.at = record.Sequence
		page = append(page, taken{record, m.Headers()})
	}
	r.narrow = len(page) == 0
	if err := batch.Error(); err != nil {
		r.drop()
		return page, err
	}
	return page, nil
}

// open makes the consumer where there is none.
func (r *reader) open(ctx context.Context) error {
	if r.consumer != nil {
		return nil
	}
	if r.made {
		e, err := r.log.extent(ctx, r.stream)
		if err != nil {
			return err
		}
		if !e.created.Equal(r.created) {
			return renewed(e.first)
		}
	}
	ctx, cancel := r.log.during(ctx, callTimeout)
	defer cancel()
	c, err := r.log.consumerFrom(ctx, r.stream, r.at, r.subject)
	if err != nil {
		return err
	}
	r.consumer, r.made, r.delivered, r.pending = c, true, 0, c.CachedInfo().NumPending
	return nil
}

// more asks the stream's leader whether there is more to read: the consumer may be of a copy that is behind.
func (r *reader) more(ctx context.Context) (bool, error) {
	next, err := r.log.look(ctx, r.name, ask{From: r.at + 1, Next: r.subject})
	return next != nil && next.Sequence <= r.upTo, err
}

// missed says that events are gone which would have come between base and the end of the page.
func (r *reader) missed(ctx context.Context, base uint64, page []taken) error {
	if !r.patchy && !r.whole(base, page) {
		e, err := r.log.extent(ctx, r.stream)
		if err != nil {
			r.at = base // to be read again
			r.drop()
			return err
		}
		if r.begins && len(page) > 0 {
			base = page[0].Sequence - 1
		}
		if !e.created.Equal(r.created) {
			return renewed(e.first)
		}
		if e.first > base+1 && !(r.begins && len(page) == 0) {
			return expired(e.first)
		}
	}
	if len(page) > 0 {
		r.begins, r.number = false, page[len(page)-1].number
	}
	return nil
}

// whole reports whether a page has everything after base by itself: by its positions, or as a part of one story by their numbers.
func (r *reader) whole(base uint64, page []taken) bool {
	if len(page) == 0 {
		return false
	}
	first, last := page[0], page[len(page)-1]
	if first.Sequence == base+1 && last.Sequence == base+uint64(len(page)) {
		return true
	}
	return first.number == r.number+1 && last.number == r.number+len(page) && first.subject == r.subject
}

func (r *reader) drop() {
	if r.consumer != nil {
		r.log.dismiss(r.name, r.consumer.CachedInfo().Name)
		r.consumer = nil
	}
}

// close lets the server forget the reader.
func (r *reader) close() { r.drop() }
