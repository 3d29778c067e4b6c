package eventlog

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	maxPull  = 100  // events given out at once
	pullSkip = 2000 // events looked at for one pull that finds nothing to give out
	shortest = 10 * time.Millisecond

	pullBytes    = 4 << 20                   // of the events given out at once, unless the first is larger
	largestEvent = sdk.MaxEventData + 32<<10 // in bytes, with its headers: the largest data, and room for the rest of an event

	againLater = 5 * time.Second // after which what could not be done is tried again
)

// Delivery is an event that was given to one receiver of a subscription.
type Delivery struct {
	Record     *Record
	Deliveries int // how often it was given out, this time included
	Ticket     Ticket
}

// Pull gives out up to most events of a subscription, and about 4 MiB of them, as soon as there are any, or none when wait has passed. An event that was
// given out too often before is put among the dead ones instead. When ctx ends, what came is given back.
func (l *Log) Pull(ctx context.Context, project, name string, most int, wait time.Duration) ([]Delivery, error) {
	p, err := l.project(project)
	if err != nil {
		return nil, err
	}
	stream, err := p.find(ctx)
	if err != nil {
		return nil, fault(ctx, err)
	}
	s, c, err := l.subscription(ctx, stream, name)
	if err != nil {
		return nil, err
	}
	pull := pull{log: l, project: project, of: s, consumer: c, most: min(most, maxPull)}
	list, err := pull.run(ctx, wait)
	if err != nil && ctx.Err() == nil {
		if _, _, gone := l.subscription(ctx, stream, name); errors.Is(gone, sdk.ErrNotFound) {
			return nil, gone
		}
	}
	return list, fault(ctx, err)
}

// pull is one receiver's turn.
type pull struct {
	log      *Log
	project  string
	of       Subscription
	consumer jetstream.Consumer
	most     int
}

// given is an event that came, and when.
type given struct {
	msg        jetstream.Msg
	record     *Record
	deliveries int
	at         time.Time
}

func (p *pull) run(ctx context.Context, wait time.Duration) ([]Delivery, error) {
	until := time.Now().Add(wait)
	for seen := 0; ; {
		batch, err := p.come(ctx, time.Until(until))
		if err != nil {
			p.giveBack(batch)
			return nil, err
		}
		list, err := p.deliver(ctx, batch)
		if len(list) > 0 || err != nil {
			return list, err
		}
		// Where something came and nothing of it was to be given out, the next may be; else it is over when the time is.
		if seen += len(batch); seen >= pullSkip || len(batch) == 0 && time.Until(until) < shortest {
			return nil, nil
		}
	}
}

// come answers what is there, or waits for the first event.
func (p *pull) come(ctx context.Context, wait time.Duration) ([]given, error) {
	if p.of.Unacked < maxUnacked { // else the server keeps silent until one is acknowledged
		list, err := p.there(ctx)
		if len(list) > 0 && ctx.Err() == nil {
			return list, nil // what went wrong behind it is met by the next pull: given back, all of it would be given out once more
		}
		if len(list) > 0 || err != nil {
			return list, err
		}
	}
	if wait < shortest {
		return nil, nil
	}
	waiting, cancel := p.log.during(ctx, wait)
	defer cancel()
	batch, err := p.consumer.Fetch(1, jetstream.FetchContext(waiting))
	if err != nil {
		return nil, err
	}
	list, err := p.take(ctx, batch, time.Time{})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil
	}
	return list, err
}

// there answers what is there, in parts that can not be larger than what is left of pullBytes.
func (p *pull) there(ctx context.Context) (list []given, err error) {
	for room := pullBytes; len(list) < p.most && room >= largestEvent; {
		at, part := time.Now(), min(p.most-len(list), room/largestEvent)
		batch, err := p.consumer.FetchNoWait(part)
		if err != nil {
			return list, err
		}
		more, err := p.take(ctx, batch, at)
		if list = append(list, more...); err != nil || len(more) < part {
			return list, err
		}
		for _, g := range more {
			room -= len(g.record.Data)
		}
	}
	return list, nil
}

// take receives what a fetch brings: at is since when the server may hold an event to be given out, zero for when it comes.
func (p *pull) take(ctx context.Context, batch jetstream.MessageBatch, at time.Time) (list []given, err error) {
	for m := range batch.Messages() {
		record, meta, err := recordOf(m)
		if err != nil {
			p.log.log.Error("a message of the event log cannot be read", "project", p.project, "subscription", p.of.Name, "error", err)
			continue
		}
		g := given{msg: m, record: record, deliveries: int(meta.NumDelivered), at: at}
		if at.IsZero() {
			g.at = time.Now()
		}
		list = append(list, g)
	}
	if err = batch.Error(); errors.Is(err, jetstream.ErrNoMessages) {
		err = nil
	}
	return list, errors.Join(err, context.Cause(ctx))
}

// deliver gives out what is to be given out. What is not chosen is done with; what was given out too often is dead.
func (p *pull) deliver(ctx context.Context, batch []given) ([]Delivery, error) {
	var good, again, dead []given
	for _, g := range batch {
		switch {
		case !p.of.Types.Match(g.record.Type):
			_ = g.msg.Ack() // else it is skipped once more
		case g.deliveries > p.of.MaxDeliveries:
			dead = append(dead, g)
		case g.deliveries > 1:
			again = append(again, g)
		default:
			good = append(good, g)
		}
	}
	fenced, err := p.log.fence(ctx, p.project, p.of, again)
	if err != nil {
		p.giveBackLater(again) // those whom they were given before could take them for their own
	}
	good = append(good, fenced...)
	for _, g := range dead {
		p.bury(ctx, g)
	}
	if ctx.Err() != nil {
		p.giveBack(good)
		return nil, context.Cause(ctx)
	}
	list := make([]Delivery, len(good))
	for i, g := range good {
		list[i] = Delivery{Record: g.record, Deliveries: g.deliveries, Ticket: p.ticket(g)}
	}
	if len(list) > 0 {
		return list, nil
	}
	return nil, err
}

// bury puts an event among the dead. Where that fails it is tried again later, by whoever is given the event then.
func (p *pull) bury(ctx context.Context, g given) {
	err := p.log.bury(ctx, p.project, p.of.Name, g.record, p.of.MaxDeliveries)
	if err == nil {
		err = p.log.settle(ctx, g.msg.Reply(), []byte("+TERM"))
	}
	if err != nil {
		p.log.log.Error("a dead event cannot be put aside; trying again", "project", p.project, "subscription", p.of.Name, "sequence", g.record.Sequence, "error", err)
		p.giveBackLater([]given{g})
	}
}

// giveBack lets others have what the receiver does not get to see.
func (p *pull) giveBack(list []given) {
	for _, g := range list {
		_ = g.msg.Nak() // else it is given out again when its time has passed
	}
}

// giveBackLater does so after a while: each time that an event is given out counts, and what cannot be done now should not use them up.
func (p *pull) giveBackLater(list []given) {
	for _, g := range list {
		_ = g.msg.NakWithDelay(againLater) // else it is given out again when its time has passed
	}
}
