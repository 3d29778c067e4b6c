package apiserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

type publishEventsInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 255 printable ASCII characters. The same key and body answer the first events again, for as long as the log knows doubles. Events that all have ids of their own are known by them alone."`

	body   requestBody
	keys   []string
	query  query
	sentCE bool
}

// Resolve takes what huma has no eyes for.
func (in *publishEventsInput) Resolve(ctx huma.Context) []error {
	c := humagin.Unwrap(ctx)
	in.body, in.keys, in.query = readBody(c), c.Request.Header.Values("Idempotency-Key"), queryOf(ctx.URL())
	in.sentCE = sendsCloudEvent(c.Request)
	return nil
}

type publishEventsOutput struct {
	Status   int
	Replayed string `header:"Idempotent-Replayed" doc:"true when the events were published by an earlier request of the same key."`
	Body     sdk.PublishedList
}

func (s *Server) publishEvents(ctx context.Context, in *publishEventsInput) (*publishEventsOutput, error) {
	sent, fault := readEvents(in.body, in.sentCE)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	key, faults := keyFaults(in.keys)
	sent.faults.add(faults...)
	if len(in.keys) > 0 {
		sent.faults.add(sent.keyedFaults()...)
	}
	sent.faults.add(in.query.faults()...)
	sent.faults.add(sent.secretFaults(s.redaction.Redactor)...)
	if err := sent.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	log, fault := s.eventLog()
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	from, fault := s.publisher(ctx)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	if fault := s.checkReach(ctx); fault != nil {
		return nil, s.problem(ctx, fault)
	}
	p := publication{log: log, project: callerOf(ctx).project, events: sent.events}
	if key != "" && sent.ownIDs() == 0 {
		if err := p.keyed(from.Source, key); err != nil {
			return nil, s.problem(ctx, err)
		}
	}
	if err := p.complete(from); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := p.redact(s.redaction, sent.paths); err != nil {
		return nil, s.problem(ctx, err)
	}
	acks, err := p.write(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return s.publishedAnswer(acks, key != ""), nil
}

// publishedAnswer lists where the events are. With a key that was used before, it is the first answer again.
func (s *Server) publishedAnswer(acks []eventlog.Ack, keyed bool) *publishEventsOutput {
	out, doubles := &publishEventsOutput{Status: http.StatusCreated}, 0
	for _, a := range acks {
		if a.Duplicate {
			doubles++
		}
	}
	replayed := keyed && doubles == len(acks)
	if replayed {
		out.Status, out.Replayed = http.StatusOK, "true"
	}
	for _, a := range acks {
		out.Body.Items = append(out.Body.Items, sdk.Published{
			ID: a.ID, Sequence: sdk.FormatSequence(a.Sequence), Duplicate: a.Duplicate && !replayed,
		})
	}
	s.metrics.published.Add(float64(len(acks) - doubles))
	return out
}

// publisher is what the server says of every event that a caller publishes.
func (s *Server) publisher(ctx context.Context) (sdk.Event, *sdk.Error) {
	who := callerOf(ctx)
	from := sdk.Event{
		SpecVersion: sdk.EventSpecVersion, Source: "/projects/" + who.project, Time: time.Now().UTC(),
		Organization: who.organization, Project: who.project,
	}
	if who.key != "" {
		from.Source += "/keys/" + who.key
	}
	if who.attempt == nil {
		return from, nil
	}
	from.Task = who.attempt.Task
	from.Source = "/projects/" + who.project + "/tasks/" + who.attempt.Task + "/agent" // whose ids and keys are not those of other agents
	_, running, err := s.runningAttempt(ctx, *who.attempt)
	switch {
	case err != nil:
		return from, errorOf(err)
	case running == nil:
		return from, attemptEnded()
	}
	from.Agent = running.AgentID
	return from, nil
}

// publication is events on their way into the log.
type publication struct {
	log     *eventlog.Log
	project string
	events  []sdk.Event
	keys    []string // by which events are known again; none without an idempotency key
}

// redact makes of the events what may be stored, after the digest of what was sent was taken. One that is too large with its secrets marked
// is refused.
func (p *publication) redact(to redact.Events, paths []string) error {
	var faults faultList
	for i, e := range p.events {
		p.events[i] = to.Event(e)
		if n := len(p.events[i].Data); n > sdk.MaxEventData {
			faults.add(sdk.Fault{Path: paths[i] + ".data", Message: fmt.Sprintf("is %d bytes once its secrets are redacted; at most %d are taken", n, sdk.MaxEventData)})
		}
	}
	if faults.empty() {
		return nil
	}
	refusal := faults.refusal()
	refusal.Code, refusal.Message = sdk.CodePayloadTooLarge, "the data of an event is too large once its secrets are redacted"
	return refusal
}

// keyed gives events an id that says by which key they are known, and what was sent with it: nobody without the key can tell from the id
// whether that was what they guess.
func (p *publication) keyed(source, key string) error {
	body, err := canonicalJSON(p.events)
	if err != nil {
		return err
	}
	by := []byte(source + "\x00" + key)
	name, sum := sha256.Sum256(by), sha256.Sum256(slices.Concat(by, []byte{0}, body))
	known := "k" + hex.EncodeToString(name[:16]) + "."
	p.keys = make([]string, len(p.events))
	for i := range p.events {
		p.keys[i] = known + strconv.Itoa(i)
		p.events[i].ID = known + hex.EncodeToString(sum[:8]) + "." + strconv.Itoa(i)
	}
	return nil
}

// write appends the events. Where they are known by an idempotency key, the first one tells whether it was used before, and for what:
// the others are not written where that was something else.
func (p *publication) write(ctx context.Context) ([]eventlog.Ack, error) {
	if len(p.keys) == 0 {
		return p.log.Append(ctx, p.project, p.events)
	}
	acks, err := p.log.AppendKeyed(ctx, p.project, p.events[:1], p.keys[:1])
	if err != nil {
		return nil, err
	}
	if acks[0].Duplicate {
		if err := p.checkSame(ctx, acks[0]); err != nil {
			return nil, err
		}
	}
	rest, err := p.log.AppendKeyed(ctx, p.project, p.events[1:], p.keys[1:])
	return append(acks, rest...), err
}

// checkSame compares what was sent with what the key was used for before, as the ids tell.
func (p *publication) checkSame(ctx context.Context, there eventlog.Ack) error {
	page, err := p.log.Read(ctx, p.project, eventlog.Query{From: eventlog.After(there.Sequence - 1), Limit: 1})
	if errors.Is(err, sdk.ErrHistoryExpired) || err == nil && (len(page.Records) == 0 || page.Records[0].Sequence != there.Sequence) {
		return nil // it is not kept any more
	}
	if err != nil {
		return err
	}
	before, err := page.Records[0].Event()
	if err != nil || before.ID == there.ID {
		return err
	}
	return sdk.Errorf(sdk.CodeIdempotencyMismatch, "the Idempotency-Key was used for other events; take another one for these")
}
