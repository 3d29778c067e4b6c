package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The headers of an atomic batch (NATS 2.12). The client library has no call for it.
const (
	headerBatchID     = "Nats-Batch-Id"
	headerBatchSeq    = "Nats-Batch-Sequence"
	headerBatchCommit = "Nats-Batch-Commit"
)

const (
	answerTimeout = 2 * time.Second  // for the answer to one message, since the one before it
	batchTimeout  = 4 * time.Second  // for the answer to a batch
	releaseAfter  = 30 * time.Second // what the client library keeps of a message that nobody waits for any more
)

// publishBatch writes messages of one stream all or none, and answers where each is once all are on disk. It is not repeated when
// the answer does not come: they may have been written.
func (l *Log) publishBatch(msgs []*nats.Msg) ([]place, error) {
	ctx, cancel := l.during(context.Background(), batchTimeout)
	defer cancel()
	id := uuid.NewString()
	last := len(msgs) - 1
	for i, m := range msgs[:last] {
		if err := l.nc.PublishMsg(inBatch(m, id, i+1)); err != nil {
			return nil, err
		}
	}
	commit := inBatch(msgs[last], id, last+1)
	commit.Header.Set(headerBatchCommit, "1")
	answer, err := l.nc.RequestMsgWithContext(ctx, commit)
	if err != nil {
		return nil, err
	}
	return batchPlaces(answer.Data, len(msgs))
}

// inBatch is the message as one of a batch.
func inBatch(m *nats.Msg, batch string, seq int) *nats.Msg {
	in := alone(m)
	in.Header.Set(headerBatchID, batch)
	in.Header.Set(headerBatchSeq, strconv.Itoa(seq))
	return in
}

// batchPlaces reads the answer to a batch: the position of its last message; the others stand right before it.
func batchPlaces(data []byte, count int) ([]place, error) {
	var answer struct {
		Error    *jetstream.APIError `json:"error"`
		Sequence uint64              `json:"seq"`
		Count    int                 `json:"count"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, fmt.Errorf("the answer to a batch: %w", err)
	}
	if answer.Error != nil {
		return nil, answer.Error
	}
	if answer.Count != count || answer.Sequence < uint64(count) {
		return nil, fmt.Errorf("the answer to a batch of %d is about %d, at %d", count, answer.Count, answer.Sequence)
	}
	places := make([]place, count)
	for i := range places {
		places[i].sequence = answer.Sequence - uint64(count-1-i)
	}
	return places, nil
}

// publishEach writes messages one by one and finishes each call. The server writes those of several calls at the same time; those of
// a story wait for one another. It ends soon after the answers do not come any more: nobody holds up the others for long.
func (l *Log) publishEach(group []*write) {
	var stories sync.WaitGroup
	defer stories.Wait()
	futures := make([][]jetstream.PubAckFuture, len(group))
	for i, w := range group {
		if w.story {
			stories.Go(func() { w.finish(l.publishStory(w.msgs)) })
			continue
		}
		var err error
		if futures[i], err = l.publishAsync(w.msgs); err != nil {
			w.finish(nil, err)
		}
	}
	patience := answerTimeout
	for i, w := range group {
		if futures[i] == nil {
			continue
		}
		places, err := l.placesOf(futures[i], patience)
		w.finish(places, err)
		if errors.Is(err, nats.ErrTimeout) {
			patience = 0 // the others were asked at the same time
		}
	}
}

// publishAsync sends messages in their order. JetStream's answer to each comes later.
func (l *Log) publishAsync(msgs []*nats.Msg) ([]jetstream.PubAckFuture, error) {
	futures := make([]jetstream.PubAckFuture, len(msgs))
	for i, m := range msgs {
		var err error
		if futures[i], err = l.js.PublishMsgAsync(alone(m), jetstream.WithRetryAttempts(0)); err != nil {
			return nil, err
		}
	}
	return futures, nil
}

// alone is the message to be sent; the message itself stays as it was, to be written again if need be.
func alone(m *nats.Msg) *nats.Msg {
	return &nats.Msg{Subject: m.Subject, Header: maps.Clone(m.Header), Data: m.Data}
}

// placesOf waits for the answers to what publishAsync sent, for each as long as patience lasts.
func (l *Log) placesOf(futures []jetstream.PubAckFuture, patience time.Duration) ([]place, error) {
	places := make([]place, len(futures))
	for i, f := range futures {
		var err error
		if places[i], err = l.placeOf(f, patience); err != nil {
			return nil, err
		}
	}
	return places, nil
}

func (l *Log) placeOf(f jetstream.PubAckFuture, patience time.Duration) (place, error) {
	ctx, cancel := l.during(context.Background(), max(patience, time.Millisecond))
	defer cancel()
	select {
	case ack := <-f.Ok():
		return place{ack.Sequence, ack.Duplicate}, nil
	case err := <-f.Err():
		return place{}, err
	case <-ctx.Done():
		return place{}, nats.ErrTimeout
	}
}

// publishStory writes each message as the next after the one before it.
func (l *Log) publishStory(msgs []*nats.Msg) ([]place, error) {
	places := make([]place, len(msgs))
	for i, m := range msgs {
		m = alone(m)
		if i > 0 {
			m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(places[i-1].sequence, 10))
		}
		at, err := l.publish(m)
		if err != nil {
			return nil, err
		}
		places[i] = at
	}
	return places, nil
}

// publish writes one message.
func (l *Log) publish(m *nats.Msg) (place, error) {
	ctx, cancel := l.during(context.Background(), answerTimeout)
	defer cancel()
	ack, err := l.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	if err != nil {
		return place{}, err
	}
	return place{ack.Sequence, ack.Duplicate}, nil
}
