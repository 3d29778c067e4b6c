package sdk

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// The bounds of a durable subscription.
const (
	MaxPull          = 100 // events given out at once, and acks of one call
	MaxPullWaitMs    = 60_000
	MaxMaxDeliveries = 1000
	MinAckWaitMs     = 1000
	MaxAckWaitMs     = 12 * 3600 * 1000
)

// Durable is a place in the project's log that the service keeps for its receivers, however many there are: they share the work, and an
// event that none of them acknowledges in time is given out again. Make it with [Client.Durable]; [Durable.Put] makes the subscription
// itself. It is safe for concurrent use.
type Durable struct {
	client *Client
	name   string
}

// Durable is the durable subscription of a name: an id as tasks have. It calls nobody.
func (c *Client) Durable(name string) *Durable { return &Durable{client: c, name: name} }

// Name is the subscription's name.
func (d *Durable) Name() string { return d.name }

// Put makes the subscription, or changes it: what is left out becomes its default. Where it begins can not be changed; another From
// than it was made with is an error of code conflict.
func (d *Durable) Put(ctx context.Context, r SubscriptionRequest) (*Subscription, error) {
	var f faults
	f.patterns("$.types", r.Types)
	if r.From != "" && r.From != "now" && r.From != "beginning" {
		if _, err := ParseSequence(r.From); err != nil {
			f.add("$.from", "must be now, beginning or the sequence of an event")
		}
	}
	if r.MaxDeliveries < 0 || r.MaxDeliveries > MaxMaxDeliveries {
		f.add("$.maxDeliveries", "must be from 1 to %d", MaxMaxDeliveries)
	}
	if r.AckWaitMs != 0 && (r.AckWaitMs < MinAckWaitMs || r.AckWaitMs > MaxAckWaitMs) {
		f.add("$.ackWaitMs", "must be from %d to %d milliseconds", MinAckWaitMs, MaxAckWaitMs)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	var s Subscription
	if err := d.call(ctx, call{method: http.MethodPut, body: r, repeatable: true}, nil, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// Get answers the subscription as it stands.
func (d *Durable) Get(ctx context.Context) (*Subscription, error) {
	var s Subscription
	if err := d.call(ctx, call{method: http.MethodGet, repeatable: true}, nil, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// Delete ends the subscription, with its place in the log and its dead events.
func (d *Durable) Delete(ctx context.Context) error {
	return d.call(ctx, call{method: http.MethodDelete}, nil, nil)
}

// Pull answers events that no other receiver has, as soon as there are any, or none when WaitMs has passed. Each is this receiver's for
// the subscription's AckWaitMs. The call is sent once: what was given out and got lost on the way is given out again after that.
func (d *Durable) Pull(ctx context.Context, r PullRequest) ([]Delivery, error) {
	var f faults
	if r.Max < 0 || r.Max > MaxPull {
		f.add("$.max", "must be from 1 to %d", MaxPull)
	}
	if r.WaitMs < 0 || r.WaitMs > MaxPullWaitMs {
		f.add("$.waitMs", "must be from 0 to %d milliseconds", MaxPullWaitMs)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	var list DeliveryList
	cl := call{method: http.MethodPost, body: r, wait: time.Duration(r.WaitMs) * time.Millisecond}
	if err := d.call(ctx, cl, nil, &list, "pull"); err != nil {
		return nil, err
	}
	return list.Items, nil
}

// Ack says that events are done with, and answers what became of each: see [Settled]. The call may be repeated, so that one that
// was taken the first time can answer stale.
func (d *Durable) Ack(ctx context.Context, acks ...string) ([]Settled, error) {
	return d.settle(ctx, "ack", AckRequest{Acks: acks})
}

// Nack gives events back, to be given out again after a delay; 0 is at once. It answers as [Durable.Ack] does.
func (d *Durable) Nack(ctx context.Context, delay time.Duration, acks ...string) ([]Settled, error) {
	return d.settle(ctx, "nack", AckRequest{Acks: acks, DelayMs: delay.Milliseconds()})
}

// Extend asks for the subscription's AckWaitMs anew for events that take long. Each is gone on with by the ack of the answer.
func (d *Durable) Extend(ctx context.Context, acks ...string) ([]Settled, error) {
	return d.settle(ctx, "extend", AckRequest{Acks: acks})
}

func (d *Durable) settle(ctx context.Context, verb string, r AckRequest) ([]Settled, error) {
	var f faults
	if len(r.Acks) < 1 || len(r.Acks) > MaxPull {
		f.add("$.acks", "must be 1 to %d", MaxPull)
	}
	if r.DelayMs < 0 || r.DelayMs > MaxAckWaitMs {
		f.add("$.delayMs", "must be from 0 to %d milliseconds", MaxAckWaitMs)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	var list SettledList
	if err := d.call(ctx, call{method: http.MethodPost, body: r, repeatable: true}, nil, &list, verb); err != nil {
		return nil, err
	}
	if len(list.Items) != len(r.Acks) {
		return nil, Errorf(CodeInternal, "the service answered %d of %d acks", len(list.Items), len(r.Acks))
	}
	return list.Items, nil
}

// Dead answers the events that were given out as often as the subscription allows and never acknowledged, oldest first.
func (d *Durable) Dead(ctx context.Context) iter.Seq2[*DeadEvent, error] {
	return pages("dead events", func(cursor string) ([]DeadEvent, string, error) {
		query := url.Values{}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		var page DeadEventPage
		err := d.call(ctx, call{method: http.MethodGet, repeatable: true}, query, &page, "dead")
		return page.Items, page.NextCursor, err
	})
}

// call sends a call below the subscription's address.
func (d *Durable) call(ctx context.Context, cl call, query url.Values, out any, rest ...string) error {
	if !ValidID(d.name) {
		return Errorf(CodeInvalidInput, "the name of a subscription must start with a letter or digit and hold at most 128 of A-Z, a-z, 0-9, _ and -")
	}
	cl.url = d.client.address(query, append([]string{"v1", "subscriptions", d.name}, rest...)...)
	return d.client.do(ctx, cl, out)
}
