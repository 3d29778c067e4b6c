package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	project = "bench" // of what is published

	// The stream of the first level. Its settings are those of the project's.
	referenceStream  = "bench-reference"
	referenceSubject = "bench-reference.e"

	published = sdk.EventType("bench.published")
	delivered = sdk.EventType("bench.delivered")

	writeWait = 30 * time.Second // for one call
)

// write hands events over and returns when all are on disk. It is safe for concurrent use.
type write func(ctx context.Context, events []sdk.Event) error

// writer answers how events are written at a level; end ends its connections.
func (p Places) writer(ctx context.Context, l Level, publishers int) (do write, end func(), err error) {
	switch l {
	case Raw:
		nc, err := nats.Connect(p.NATS)
		if err != nil {
			return nil, nil, err
		}
		js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(publishers*sdk.MaxEventBatch))
		return raw(js), nc.Close, err
	case Log:
		log, err := eventlog.Open(ctx, eventlog.Config{URL: p.NATS, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, nil, err
		}
		return appending(log), func() { _ = log.Close() }, log.Await(ctx)
	default:
		c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: publishers}}
		return posting(c, p.API), c.CloseIdleConnections, nil
	}
}

// raw publishes each event as a message of its own, as the event log would write it: several without waiting for one another.
func raw(js jetstream.JetStream) write {
	return func(ctx context.Context, events []sdk.Event) error {
		if len(events) == 1 {
			m, err := message(events[0])
			if err != nil {
				return err
			}
			_, err = js.PublishMsg(ctx, m)
			return err
		}
		acks := make([]jetstream.PubAckFuture, len(events))
		for i, e := range events {
			m, err := message(e)
			if err != nil {
				return err
			}
			if acks[i], err = js.PublishMsgAsync(m); err != nil {
				return err
			}
		}
		for _, ack := range acks {
			select {
			case <-ack.Ok():
			case err := <-ack.Err():
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
}

// message is an event with the headers that the event log gives it.
func message(e sdk.Event) (*nats.Msg, error) {
	data, err := json.Marshal(e)
	m := nats.NewMsg(referenceSubject)
	m.Data = data
	m.Header.Set(jetstream.MsgIDHeader, e.ID)
	m.Header.Set("Rolecall-Type", string(e.Type))
	return m, err
}

func appending(log *eventlog.Log) write {
	return func(ctx context.Context, events []sdk.Event) error {
		_, err := log.Append(ctx, project, events)
		return err
	}
}

// posting publishes over HTTP. One event goes alone, several as an array.
func posting(c *http.Client, api string) write {
	return func(ctx context.Context, events []sdk.Event) error {
		requests := make([]sdk.EventRequest, len(events))
		for i, e := range events {
			requests[i] = sdk.EventRequest{ID: e.ID, Type: e.Type, Data: e.Data}
		}
		body, err := json.Marshal(requests)
		if len(events) == 1 {
			body, err = json.Marshal(requests[0])
		}
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, api+"/v1/events", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Rolecall-Project", project)
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }() // it was read
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		var list sdk.PublishedList
		if resp.StatusCode != http.StatusCreated || json.Unmarshal(answer, &list) != nil || len(list.Items) != len(events) {
			return fmt.Errorf("%d events were answered with %s: %.300s", len(events), resp.Status, answer)
		}
		return nil
	}
}

// anEvent is the event that is written, as the log keeps it.
func anEvent(id string, t sdk.EventType, data any) (sdk.Event, error) {
	text, err := json.Marshal(data)
	return sdk.Event{
		SpecVersion: sdk.EventSpecVersion, ID: id, Source: "/projects/" + project, Type: t, Time: time.Now(), DataContentType: "application/json",
		Organization: "default", Project: project, Data: text,
	}, err
}

// errNothing is that of a block in which nothing was written.
var errNothing = errors.New("nothing was published in the block")
