package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

// MaxSubscriptions is how many durable subscriptions a project can have.
const MaxSubscriptions = 100

// MaxAckWait is the longest time that a receiver can have for an event before it asks for more.
const MaxAckWait = 12 * time.Hour

const (
	consumerPrefix = "sub-"
	metadataKey    = "rolecall"
	maxUnacked     = 1000   // events of a subscription that are out at once
	maxPulls       = 16_384 // that wait for events of one subscription, of all servers

	// ackMargin is by how much the server waits longer than the receiver is told, so that an acknowledgement that is taken in time
	// cannot reach an event that has gone to another receiver meanwhile.
	ackMargin = 2 * time.Second
)

// Subscription is a place in a project's log that is kept for its receivers, who share the work.
type Subscription struct {
	Name          string
	Types         sdk.EventPatterns
	From          string        // now, beginning, or a sequence, as it was asked for
	MaxDeliveries int           // after which an event is dead
	AckWait       time.Duration // after which an event goes to another receiver
	CreatedAt     time.Time

	Pending int64 // events not yet given out, of those that the types do not rule out by their family; set on reading
	Unacked int   // events that are out; set on reading
}

// stored is what a consumer's metadata says of its subscription.
type stored struct {
	Types         sdk.EventPatterns `json:"types"`
	From          string            `json:"from"`
	MaxDeliveries int               `json:"maxDeliveries"`
	AckWaitMs     int64             `json:"ackWaitMs"`
}

func (s Subscription) consumer(project string, start jetstream.ConsumerConfig) (jetstream.ConsumerConfig, error) {
	metadata, err := json.Marshal(stored{s.Types, s.From, s.MaxDeliveries, s.AckWait.Milliseconds()})
	if err != nil {
		return start, err
	}
	start.Durable = consumerPrefix + s.Name
	start.FilterSubject = Filter{Types: s.Types}.subject(project)
	start.AckPolicy = jetstream.AckExplicitPolicy
	start.AckWait = s.AckWait + ackMargin
	start.MaxDeliver = -1 // dead events are put aside by whoever is given them once too often
	start.MaxAckPending = maxUnacked
	start.MaxWaiting = maxPulls
	start.Metadata = map[string]string{metadataKey: string(metadata)}
	return start, nil
}

// GetSubscription answers a subscription as it stands.
func (l *Log) GetSubscription(ctx context.Context, project, name string) (Subscription, error) {
	p, err := l.project(project)
	if err != nil {
		return Subscription{}, err
	}
	stream, err := p.find(ctx)
	if err != nil {
		return Subscription{}, fault(ctx, err)
	}
	s, _, err := l.subscription(ctx, stream, name)
	return s, err
}

func noSubscription() error {
	return sdk.Errorf(sdk.CodeNotFound, "there is no such subscription in this project")
}

func (l *Log) subscription(ctx context.Context, stream jetstream.Stream, name string) (Subscription, jetstream.Consumer, error) {
	if stream == nil || !sdk.ValidID(name) {
		return Subscription{}, nil, noSubscription()
	}
	call, cancel := l.during(ctx, callTimeout)
	defer cancel()
	c, err := stream.Consumer(call, consumerPrefix+name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || isGone(err) {
		return Subscription{}, nil, noSubscription()
	}
	if err != nil {
		return Subscription{}, nil, fault(ctx, err)
	}
	s, err := subscriptionOf(c.CachedInfo())
	return s, c, err
}

// ListSubscriptions answers a project's subscriptions by name.
func (l *Log) ListSubscriptions(ctx context.Context, project string) ([]Subscription, error) {
	p, err := l.project(project)
	if err != nil {
		return nil, err
	}
	stream, err := p.find(ctx)
	if err != nil || stream == nil {
		return nil, fault(ctx, err)
	}
	all, err := p.subscriptions(ctx, stream)
	if isGone(err) {
		p.lost(err)
		return nil, nil
	}
	return all, fault(ctx, err)
}

func (p *project) subscriptions(ctx context.Context, stream jetstream.Stream) ([]Subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list := stream.ListConsumers(ctx)
	var all []Subscription
	for info := range list.Info() {
		if !strings.HasPrefix(info.Name, consumerPrefix) {
			continue
		}
		s, err := subscriptionOf(info)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Subscription) int { return strings.Compare(a.Name, b.Name) })
	return all, list.Err()
}

// DeleteSubscription ends a subscription: its place in the log and its dead events are gone.
func (l *Log) DeleteSubscription(ctx context.Context, project, name string) error {
	p, err := l.project(project)
	if err != nil {
		return err
	}
	stream, err := p.find(ctx)
	if err != nil {
		return fault(ctx, err)
	}
	if err := p.change(ctx); err != nil {
		return fault(ctx, err)
	}
	defer p.changed()
	if _, _, err := l.subscription(ctx, stream, name); err != nil {
		return err
	}
	if err := stream.DeleteConsumer(ctx, consumerPrefix+name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fault(ctx, err)
	}
	return l.dropDead(ctx, project, name)
}

func subscriptionOf(info *jetstream.ConsumerInfo) (Subscription, error) {
	var kept stored
	if err := json.Unmarshal([]byte(info.Config.Metadata[metadataKey]), &kept); err != nil {
		return Subscription{}, sdk.Errorf(sdk.CodeInternal, "the subscription %s was not made by rolecall: %v", info.Name, err)
	}
	return Subscription{
		Name: strings.TrimPrefix(info.Name, consumerPrefix), Types: kept.Types, From: kept.From, MaxDeliveries: kept.MaxDeliveries,
		AckWait: time.Duration(kept.AckWaitMs) * time.Millisecond, CreatedAt: info.Created, Pending: int64(info.NumPending), Unacked: info.NumAckPending,
	}, nil
}
