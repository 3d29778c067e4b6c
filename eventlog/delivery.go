package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	maxPull  = 100 // events given out at once
	pullSkim = 64  // messages looked at in one go
	shortest = 10 * time.Millisecond
)

// Delivery is an event that was given to one receiver of a subscription.
type Delivery struct {
	Record     *Record
	Deliveries int // how often it was given out, this time included
	Ticket     Ticket
}

// Ticket is by what a receiver acknowledges an event. It is good until it expires; then the event goes to another receiver.
type Ticket struct {
	Subscription string    `json:"s"`
	Reply        string    `json:"r"` // where JetStream takes the acknowledgement
	Expires      time.Time `json:"e"`
}

// Pull gives out up to most events of a subscription, as soon as there are any, or none when wait has passed. An event that was
// given out too often before is put among the dead ones instead.
func (l *Log) Pull(ctx context.Context, project, name string, most int, wait time.Duration) ([]Delivery, error) {
	p, err := l.project(project)
	if err != nil {
		return nil, err
	}
	stream, err := p.find(ctx)
	if err != nil {
		return nil, fault(err)
	}
	s, err := l.subscription(ctx, stream, name)
	if err != nil {
		return nil, err
	}
	c, err := stream.Consumer(ctx, consumerPrefix+name)
	if err != nil {
		return nil, fault(err)
	}
	pull := pull{log: l, project: project, of: s, consumer: c, most: min(most, maxPull)}
	for until := time.Now().Add(wait); ; {
		if err := pull.some(ctx, time.Until(until)); err != nil {
			pull.giveBack()
			return nil, fault(err)
		}
		if len(pull.out) > 0 || time.Until(until) < shortest {
			return pull.deliveries(), nil
		}
	}
}

// pull is one receiver's turn.
type pull struct {
	log      *Log
	project  string
	of       Subscription
	consumer jetstream.Consumer
	most     int
	out      []given
}

type given struct {
	Delivery
	msg jetstream.Msg
}

// some takes what is there, or waits for the first of it.
func (p *pull) some(ctx context.Context, wait time.Duration) error {
	batch, err := p.consumer.FetchNoWait(p.most)
	if err != nil {
		return err
	}
	came, err := p.take(ctx, batch)
	if err != nil || came || wait < shortest {
		return err
	}
	if batch, err = p.consumer.Fetch(1, jetstream.FetchMaxWait(wait)); err != nil {
		return err
	}
	_, err = p.take(ctx, batch)
	return err
}

// take sorts what came: to be given out, not chosen, or dead. came says that something came.
func (p *pull) take(ctx context.Context, batch jetstream.MessageBatch) (came bool, err error) {
	for m := range batch.Messages() {
		came = true
		if err == nil {
			err = p.sort(ctx, m)
		}
	}
	if failed := batch.Error(); err == nil && failed != nil && !errors.Is(failed, jetstream.ErrNoMessages) {
		err = failed
	}
	return came, err
}

func (p *pull) sort(ctx context.Context, m jetstream.Msg) error {
	record, meta, err := recordOf(m)
	if err != nil {
		return err
	}
	switch {
	case !p.of.Types.Match(record.Type):
		return m.Ack()
	case int(meta.NumDelivered) > p.of.MaxDeliveries:
		if err := p.log.bury(ctx, p.project, p.of.Name, record, p.of.MaxDeliveries); err != nil {
			return err
		}
		return m.Term()
	}
	p.out = append(p.out, given{msg: m, Delivery: Delivery{
		Record: record, Deliveries: int(meta.NumDelivered),
		Ticket: Ticket{Subscription: p.of.Name, Reply: m.Reply(), Expires: time.Now().Add(p.of.AckWait)},
	}})
	return nil
}

func (p *pull) deliveries() []Delivery {
	list := make([]Delivery, len(p.out))
	for i, g := range p.out {
		list[i] = g.Delivery
	}
	return list
}

// giveBack lets others have what the receiver does not get to see.
func (p *pull) giveBack() {
	for _, g := range p.out {
		_ = g.msg.Nak() // else it is given out again when its time has passed
	}
}

// Verdict is what a receiver says of an event.
type Verdict string

// The verdicts. A nack gives the event out again, after a delay; an extension asks for more time.
const (
	VerdictAck    Verdict = "ack"
	VerdictNack   Verdict = "nack"
	VerdictExtend Verdict = "extend"
)

// Settle passes a verdict on and answers once it counts. stale says that the ticket came too late: the event may be another's by
// now. An extension answers the ticket to go on with; the old one keeps its time.
func (l *Log) Settle(ctx context.Context, project string, t Ticket, v Verdict, delay time.Duration) (next Ticket, stale bool, err error) {
	if !l.issued(project, t) {
		return t, false, sdk.Errorf(sdk.CodeInternal, "a ticket that is not of the project %q", project)
	}
	if !time.Now().Before(t.Expires) {
		return t, true, nil
	}
	s, err := l.GetSubscription(ctx, project, t.Subscription)
	if errors.Is(err, sdk.ErrNotFound) {
		return t, true, nil
	}
	if err != nil {
		return t, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := l.nc.RequestWithContext(ctx, t.Reply, v.message(delay)); err != nil {
		return t, false, fault(err)
	}
	if v == VerdictExtend {
		t.Expires = time.Now().Add(s.AckWait)
	}
	return t, false, nil
}

// message is a verdict as JetStream takes it.
func (v Verdict) message(delay time.Duration) []byte {
	switch {
	case v == VerdictExtend:
		return []byte("+WPI")
	case v == VerdictNack && delay > 0:
		return fmt.Appendf(nil, `-NAK {"delay": %d}`, delay.Nanoseconds())
	case v == VerdictNack:
		return []byte("-NAK")
	default:
		return []byte("+ACK")
	}
}

// issued reports whether a ticket is of a subscription of the project.
func (l *Log) issued(project string, t Ticket) bool {
	at := "." + streamName(project) + "." + consumerPrefix + t.Subscription + "."
	return sdk.ValidProject(project) && sdk.ValidID(t.Subscription) && strings.HasPrefix(t.Reply, "$JS.ACK.") && strings.Contains(t.Reply, at)
}
