package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ask asks the leader of a stream for one message: the last of a subject, or the first of one from a sequence or a time on. The
// client library asks any replica where it may, and knows no times.
type ask struct {
	Last  string     `json:"last_by_subj,omitempty"`
	Next  string     `json:"next_by_subj,omitempty"`
	From  uint64     `json:"seq,omitempty"`
	Since *time.Time `json:"start_time,omitempty"`
}

// look answers the message that a question is for; nil when there is none.
func (l *Log) look(ctx context.Context, stream string, q ask) (*Record, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	ctx, cancel := l.during(ctx, callTimeout)
	defer cancel()
	m, err := l.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, fmt.Errorf("the answer of the stream %s: %w", stream, err)
	}
	if answer.Error != nil {
		if isCode(answer.Error, codeNoMessage) {
			return nil, nil //nolint:nilnil // none is an answer
		}
		return nil, answer.Error
	}
	header := nats.Header{}
	if found := answer.Message; len(found.Header) > 0 {
		if header, err = nats.DecodeHeadersMsg(found.Header); err != nil {
			return nil, fmt.Errorf("message %d of the stream %s: %w", found.Sequence, stream, err)
		}
	}
	found := answer.Message
	return newRecord(found.Subject, found.Sequence, found.Time, header, found.Data), nil
}

// extent is what a stream holds, as its leader knows it. An empty stream's first is one beyond its last.
type extent struct {
	first, last uint64
	created     time.Time // one that was deleted and made again is another
}

func (l *Log) extent(ctx context.Context, s jetstream.Stream) (extent, error) {
	ctx, cancel := l.during(ctx, callTimeout)
	defer cancel()
	info, err := s.Info(ctx)
	if err != nil {
		return extent{}, err
	}
	return extent{first: max(info.State.FirstSeq, 1), last: info.State.LastSeq, created: info.Created}, nil
}

// consumerFrom makes a consumer for one reader, which sees a loss by its gap: nothing is sent twice.
func (l *Log) consumerFrom(ctx context.Context, s jetstream.Stream, after uint64, subject string) (jetstream.Consumer, error) {
	name := uuid.NewString()
	c, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Name: name, FilterSubject: subject, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: l.idle,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
	})
	if err != nil {
		l.dismiss(s.CachedInfo().Config.Name, name) // it may be there all the same
		return nil, err
	}
	return c, nil
}

// dismiss lets the server forget a consumer that nobody reads from any more. It does not wait: else the server forgets it by itself.
func (l *Log) dismiss(stream, consumer string) {
	_ = l.nc.Publish("$JS.API.CONSUMER.DELETE."+stream+"."+consumer, nil)
}

// isGone reports whether an error says that a stream is not there.
func isGone(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || codeOf(err) == codeNoStream
}
