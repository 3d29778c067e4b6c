package eventlog

import (
	"context"
	"errors"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

// putTries is how often a subscription that others make and end meanwhile is tried again.
const putTries = 3

// PutSubscription makes a subscription, or changes all but the position of the one with its name. created says which. A position
// before the first kept event, or beyond the last, is history_expired; another position than the one it was made with is a conflict.
func (l *Log) PutSubscription(ctx context.Context, project string, s Subscription) (_ Subscription, created bool, err error) {
	p, err := l.project(project)
	if err != nil {
		return s, false, err
	}
	if !sdk.ValidID(s.Name) || s.MaxDeliveries < 1 || s.AckWait <= 0 || s.AckWait > MaxAckWait {
		return s, false, sdk.Errorf(sdk.CodeInternal, "a subscription that is not valid: %+v", s)
	}
	if err := (Filter{Types: s.Types}).check(); err != nil {
		return s, false, err
	}
	if at, err := sdk.ParseSequence(s.From); err == nil {
		s.From = strconv.FormatUint(at, 10)
	}
	if err := p.change(ctx); err != nil {
		return s, false, fault(ctx, err)
	}
	defer p.changed()
	for again := 0; ; again++ {
		made, created, err := p.putSubscription(ctx, s)
		p.lost(err)
		switch { // another one may have made or ended it meanwhile, or an operator removed the stream
		case !isGone(err) && !isChanged(err), again == putTries && isCode(err, codeConsumerStore):
			return made, created, fault(ctx, err)
		case again == putTries:
			return s, false, unavailable("others make and end the subscription all the time; try again")
		}
	}
}

// change waits for the turn to change a subscription; changed ends it.
func (p *project) change(ctx context.Context) error {
	select {
	case p.changing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *project) changed() { <-p.changing }

// isChanged reports whether an error says that a subscription was made or ended meanwhile.
func isChanged(err error) bool {
	return errors.Is(err, jetstream.ErrConsumerExists) || errors.Is(err, jetstream.ErrConsumerNotFound) ||
		errors.Is(err, jetstream.ErrConsumerDoesNotExist) || isCode(err, codeConsumerStore)
}

// putSubscription makes or changes a subscription as it is found.
func (p *project) putSubscription(ctx context.Context, s Subscription) (_ Subscription, created bool, err error) {
	stream, err := p.ensure(ctx)
	if err != nil {
		return s, false, err
	}
	had, _, err := p.log.subscription(ctx, stream, s.Name)
	switch {
	case errors.Is(err, sdk.ErrNotFound):
		if err := p.log.dropDead(ctx, p.id, s.Name); err != nil {
			return s, false, err // they would be of another one
		}
		s, err = p.createSubscription(ctx, stream, s)
		return s, err == nil, err
	case err != nil:
		return s, false, err
	case had.From != s.From:
		return s, false, sdk.Errorf(sdk.CodeConflict, "the subscription %s began from %s; delete it to begin from %s", s.Name, had.From, s.From)
	}
	s, err = p.updateSubscription(ctx, stream, s)
	return s, false, err
}

func (p *project) createSubscription(ctx context.Context, stream jetstream.Stream, s Subscription) (Subscription, error) {
	all, err := p.subscriptions(ctx, stream)
	if err != nil {
		return s, err
	}
	if len(all) >= MaxSubscriptions {
		return s, sdk.Errorf(sdk.CodeConflict, "the project has %d subscriptions already; delete one that is not needed", MaxSubscriptions)
	}
	start, err := p.startOf(ctx, stream, s.From)
	if err != nil {
		return s, err
	}
	cfg, err := s.consumer(p.id, start)
	if err != nil {
		return s, err
	}
	c, err := stream.CreateConsumer(ctx, cfg)
	if err != nil {
		return s, err
	}
	return subscriptionOf(c.CachedInfo())
}

// startOf is where a new consumer begins.
func (p *project) startOf(ctx context.Context, stream jetstream.Stream, from string) (cfg jetstream.ConsumerConfig, err error) {
	switch from {
	case "now":
		cfg.DeliverPolicy = jetstream.DeliverNewPolicy
		return cfg, nil
	case "beginning":
		cfg.DeliverPolicy = jetstream.DeliverAllPolicy
		return cfg, nil
	}
	at, err := sdk.ParseSequence(from)
	if err != nil {
		return cfg, err
	}
	e, err := p.log.extent(ctx, stream)
	if err != nil {
		return cfg, err
	}
	if err := e.has(at); err != nil {
		return cfg, err
	}
	cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, at+1
	return cfg, nil
}

func (p *project) updateSubscription(ctx context.Context, stream jetstream.Stream, s Subscription) (Subscription, error) {
	had, err := stream.Consumer(ctx, consumerPrefix+s.Name)
	if err != nil {
		return s, err
	}
	old := had.CachedInfo().Config
	cfg, err := s.consumer(p.id, jetstream.ConsumerConfig{DeliverPolicy: old.DeliverPolicy, OptStartSeq: old.OptStartSeq})
	if err != nil {
		return s, err
	}
	c, err := stream.UpdateConsumer(ctx, cfg)
	if err != nil {
		return s, err
	}
	return subscriptionOf(c.CachedInfo())
}
