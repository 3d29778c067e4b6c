package sdk

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// Publish appends events to the project's log, in their order, and answers where each stands; it answers once they are on disk. Events
// without an ID are given one, so that an event is in the log once however often a request has to be sent; [Published.Duplicate] says
// that one of the same id was there, which may have been an earlier sending of the same call.
//
// What is more than a request can hold ([MaxEventBatch] events, [MaxBody] bytes) goes out in several, one after the other. With an error, the
// events of those before it are in the log, and are answered; of those of the request that failed none or some may be, as when the log was
// lost on the way, and the rest was not sent. Publishing all of them again within the service's window for duplicates (10 minutes by
// default) doubles nothing where every event has an ID of the caller's: give them one, as [NewEventID] does, to be able to.
// A type that is [EventType.Reserved] is an error of code reserved_type.
func (c *Client) Publish(ctx context.Context, events ...EventRequest) ([]Published, error) {
	events = slices.Clone(events)
	var f faults
	for i := range events {
		path := "$"
		if len(events) > 1 {
			path += "[" + strconv.Itoa(i) + "]"
		}
		if events[i].Type.Reserved() {
			return nil, Errorf(CodeReservedType, "%s.type: events of type %s can not be published: it is rolecall's own, or names a frame of a stream", path, events[i].Type)
		}
		f.event(path, events[i])
		if events[i].ID == "" {
			events[i].ID = NewEventID()
		}
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	var done []Published
	for rest := events; len(rest) > 0; {
		batch, err := nextBatch(rest)
		if err != nil {
			return done, err
		}
		var list PublishedList
		cl := call{method: http.MethodPost, url: c.address(nil, "v1", "events"), body: batch, repeatable: true}
		if len(batch) == 1 {
			cl.body = batch[0]
		}
		if err := c.do(ctx, cl, &list); err != nil {
			return done, err
		}
		if len(list.Items) != len(batch) {
			return done, Errorf(CodeInternal, "the service answered %d of %d events", len(list.Items), len(batch))
		}
		done = append(done, list.Items...)
		rest = rest[len(batch):]
	}
	return done, nil
}

// NewEventID answers an id for an event that no other has. A caller that sets it before [Client.Publish] can publish again what failed,
// without doubling what is in the log.
func NewEventID() string { return rand.Text() }

// nextBatch is as many of the events as fit one request.
func nextBatch(events []EventRequest) ([]json.RawMessage, error) {
	var batch []json.RawMessage
	size := len("[]")
	for _, e := range events {
		raw, err := encode(e)
		if err != nil {
			return nil, Errorf(CodeInvalidInput, "an event can not be written as JSON: %v", err)
		}
		if size += len(raw) + len(","); len(batch) == MaxEventBatch || len(batch) > 0 && size > MaxBody {
			break
		}
		batch = append(batch, raw)
	}
	return batch, nil
}

// event checks an event that is to be published.
func (f *faults) event(path string, e EventRequest) {
	switch {
	case e.Type == "":
		f.add(path+".type", "is required")
	case !e.Type.Valid():
		f.add(path+".type", "must be a dotted lower-case name of at most %d characters, such as code.generated", MaxType)
	}
	f.json(path+".data", e.Data, MaxEventData)
	f.text(path+".subject", e.Subject, MaxEventSubject)
	f.text(path+".id", e.ID, MaxEventID)
	f.text(path+".correlationId", e.CorrelationID, MaxCorrelationID)
}
