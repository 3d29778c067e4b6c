package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	firstFetch    = 32               // events, before it is known how large they are
	maxFetch      = 500              // events
	fetchBytes    = 4 << 20          // aimed at
	readerIdle    = 10 * time.Second // after which the server forgets a reader that went away
	laggingRetry  = 20 * time.Millisecond
	laggingAtMost = 2 * time.Second
)

// reader reads what is kept, from a position up to one that the stream's leader had.
type reader struct {
	stream   jetstream.Stream
	consumer jetstream.Consumer
	upTo     uint64
	at       uint64 // read so far
	fetch    int    // how many events at once
}

// newReader reads records of the subjects, after a sequence or since a time, up to and with upTo.
func newReader(ctx context.Context, s jetstream.Stream, subjects []string, after uint64, since time.Time, upTo uint64) (*reader, error) {
	cfg := jetstream.ConsumerConfig{
		FilterSubjects: subjects, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: readerIdle,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
	}
	if !since.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, 0, &since
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := s.CreateConsumer(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("read the event log: %w", err)
	}
	return &reader{stream: s, consumer: c, upTo: upTo, at: after, fetch: firstFetch}, nil
}

// taken is a record with its message and the time when the log took it.
type taken struct {
	*Record
	msg jetstream.Msg
	at  time.Time
}

// page answers the next records; none say that all were read.
func (r *reader) page(ctx context.Context) ([]taken, error) {
	for waited := time.Duration(0); r.at < r.upTo; waited += laggingRetry {
		batch, err := r.consumer.FetchNoWait(r.fetch)
		if err != nil {
			return nil, err
		}
		var page []taken
		bytes := 0
		for m := range batch.Messages() {
			record, meta, err := recordOf(m)
			if err != nil {
				return nil, err
			}
			if record.Sequence <= r.upTo {
				page = append(page, taken{record, m, meta.Timestamp})
			}
			r.at = max(r.at, record.Sequence)
			bytes += len(record.Data)
		}
		if err := batch.Error(); err != nil && !errors.Is(err, jetstream.ErrNoMessages) {
			return nil, err
		}
		if len(page) > 0 || r.at >= r.upTo {
			r.fetch = min(maxFetch, max(1, fetchBytes*len(page)/max(1, bytes)), 4*r.fetch)
			return page, nil
		}
		// The reader's copy of the stream is behind its leader, or the rest was removed meanwhile.
		if waited >= laggingAtMost {
			break
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(laggingRetry):
		}
	}
	r.at = r.upTo
	return nil, nil
}

// close lets the server forget the reader at once; it does so by itself a while later.
func (r *reader) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.stream.DeleteConsumer(ctx, r.consumer.CachedInfo().Name) // else it goes when it has been idle
}
