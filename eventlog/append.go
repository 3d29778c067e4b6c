package eventlog

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Ack says where an event is.
type Ack struct {
	ID        string
	Sequence  uint64
	Duplicate bool // it was there before: the same source and id within the window
}

// Append keeps what callers publish, in order, and answers when it is on disk. After an error none or some may have been kept;
// appending the same again doubles nothing within the window. An event needs id, source and type.
func (l *Log) Append(ctx context.Context, project string, events []sdk.Event) ([]Ack, error) {
	return l.AppendKeyed(ctx, project, events, nil)
}

// AppendKeyed is Append of events some of which are known again by another key than source and id: the one at their place in keys, unless
// that is "" or there is none. So another event of the same key is answered with the one that was there before, as a duplicate.
func (l *Log) AppendKeyed(ctx context.Context, project string, events []sdk.Event, keys []string) ([]Ack, error) {
	p, err := l.project(project)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, nil
	}
	if len(events) > sdk.MaxEventBatch {
		return nil, sdk.Errorf(sdk.CodeInternal, "%d events in one call; at most %d", len(events), sdk.MaxEventBatch)
	}
	w := newWrite()
	for i, e := range events {
		if !e.Type.Valid() || e.ID == "" || e.Source == "" {
			return nil, sdk.Errorf(sdk.CodeInternal, "an event without id, source or type")
		}
		m, err := encode(publishedSubject(project, e.Type), e)
		if err != nil {
			return nil, err
		}
		known := dedupID(e)
		if i < len(keys) && keys[i] != "" {
			known = digest("key", keys[i])
		}
		m.Header.Set(jetstream.MsgIDHeader, known)
		w.add(m)
	}
	places, err := p.append(ctx, w)
	if err != nil {
		return nil, fault(ctx, err)
	}
	acks := make([]Ack, len(places))
	for i, at := range places {
		acks[i] = Ack{ID: events[i].ID, Sequence: at.sequence, Duplicate: at.duplicate}
	}
	return acks, nil
}

// append makes sure of the stream and writes, once more where the stream turned out to have gone.
func (p *project) append(ctx context.Context, w *write) ([]place, error) {
	if _, err := p.ensure(ctx); err != nil {
		return nil, err
	}
	places, err := p.enqueue(ctx, w)
	if err == nil || !errors.Is(err, jetstream.ErrNoStreamResponse) && !errors.Is(err, nats.ErrNoResponders) {
		return places, err
	}
	p.lost(jetstream.ErrStreamNotFound)
	if _, err := p.ensure(ctx); err != nil {
		return nil, err
	}
	return p.enqueue(ctx, w.again())
}
