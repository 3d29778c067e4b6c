package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Ticket is by what a receiver acknowledges an event. It is good until it expires, or the event was given back, or given to another
// receiver. JetStream takes any acknowledgement of an event for that of the last receiver; this is what keeps them apart.
type Ticket struct {
	Subscription string    `json:"s"`
	Reply        string    `json:"r"` // where JetStream takes the acknowledgement
	Sequence     uint64    `json:"q"` // the event's
	Deliveries   int       `json:"n"` // how often the event was given out by then
	Made         int64     `json:"m"` // when the subscription was made, Unix nanoseconds
	Expires      time.Time `json:"e"`
}

func (p *pull) ticket(g given) Ticket {
	return Ticket{
		Subscription: p.of.Name, Reply: g.msg.Reply(), Sequence: g.record.Sequence, Deliveries: g.deliveries,
		Made: p.of.CreatedAt.UnixNano(), Expires: g.at.Add(p.of.AckWait),
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

// Settle passes a verdict on and answers once it counts. stale says that the ticket is not good any more: the event may be
// another's by now. An extension answers the ticket to go on with; the old one keeps its time. A nack that failed can be repeated.
func (l *Log) Settle(ctx context.Context, project string, t Ticket, v Verdict, delay time.Duration) (next Ticket, stale bool, err error) {
	if !l.issued(project, t) {
		return t, false, sdk.Errorf(sdk.CodeInternal, "a ticket that is not of the project %q", project)
	}
	if !time.Now().Before(t.Expires) {
		return t, true, nil
	}
	s, err := l.GetSubscription(ctx, project, t.Subscription)
	if errors.Is(err, sdk.ErrNotFound) || err == nil && s.CreatedAt.UnixNano() != t.Made {
		return t, true, nil
	}
	if err != nil {
		return t, false, err
	}
	spent, back, err := l.spent(ctx, project, t)
	if err != nil {
		return t, false, fault(ctx, err)
	}
	if spent && !(back && v == VerdictNack) { // one who is given it in this moment can lose it again to a nack that is repeated
		return t, true, nil
	}
	if v == VerdictNack && !back {
		if err := l.spend(ctx, project, t); err != nil {
			return t, false, fault(ctx, err)
		}
	}
	sent := time.Now()
	ctx, cancel := context.WithDeadline(ctx, t.Expires.Add(ackMargin/2)) // then the event may be another's
	defer cancel()
	if err := l.settle(ctx, t.Reply, v.message(delay)); err != nil {
		return t, false, fault(ctx, err)
	}
	if v == VerdictExtend {
		t.Expires = sent.Add(s.AckWait)
	}
	return t, false, nil
}

// settle tells JetStream a verdict and waits until it counts.
func (l *Log) settle(ctx context.Context, reply string, verdict []byte) error {
	ctx, cancel := l.during(ctx, answerTimeout)
	defer cancel()
	_, err := l.nc.RequestWithContext(ctx, reply, verdict)
	return err
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

// The stream of fences has for each event that was given out again, or given back, from which delivery on its tickets are good. It
// is written before the event is another's, and kept for longer than any ticket is good.
const (
	fenceStream = "rolecall_fences" // no project's: their streams begin with rolecall-
	fencePrefix = "rf."
	fenceAge    = MaxAckWait + time.Minute
	maxFences   = 100_000
	fenceBytes  = 64 << 20
)

func fenceSubject(project string, made int64, name string, sequence uint64) string {
	return fmt.Sprintf("%s%s.%s.%d.%d", fencePrefix, project, name, made, sequence)
}

func (l *Log) fenceConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: fenceStream, Description: "Which deliveries of events are good.", Subjects: []string{fencePrefix + ">"},
		MaxMsgsPerSubject: 1, MaxMsgs: maxFences, MaxBytes: fenceBytes, MaxAge: fenceAge, Replicas: l.cfg.Replicas,
		Storage: jetstream.FileStorage,
	}
}

// fence makes every ticket of before worthless, of events that are being given out again, and answers those. It answers none where that
// cannot be written.
func (l *Log) fence(ctx context.Context, project string, s Subscription, again []given) ([]given, error) {
	if len(again) == 0 {
		return nil, nil
	}
	msgs := make([]*nats.Msg, len(again))
	for i, g := range again {
		msgs[i] = nats.NewMsg(fenceSubject(project, s.CreatedAt.UnixNano(), s.Name, g.record.Sequence))
		msgs[i].Data = strconv.AppendInt(nil, int64(g.deliveries), 10)
	}
	if err := l.aside(ctx, l.fenceConfig(), msgs); err != nil {
		return nil, err
	}
	return again, nil
}

// givenBack is the type of a fence that the receiver of the delivery before it set, and which no delivery has followed.
const givenBack = "back"

// spend makes a ticket worthless, but for giving the event back once more: JetStream may not have heard of it.
func (l *Log) spend(ctx context.Context, project string, t Ticket) error {
	m := nats.NewMsg(fenceSubject(project, t.Made, t.Subscription, t.Sequence))
	m.Data = strconv.AppendInt(nil, int64(t.Deliveries)+1, 10)
	m.Header.Set(headerType, givenBack)
	return l.aside(ctx, l.fenceConfig(), []*nats.Msg{m})
}

// spent reports whether a ticket was made worthless; back says that its own receiver has given the event back, and that nobody was given it
// since.
func (l *Log) spent(ctx context.Context, project string, t Ticket) (spent, back bool, err error) {
	r, err := l.look(ctx, fenceStream, ask{Last: fenceSubject(project, t.Made, t.Subscription, t.Sequence)})
	if isGone(err) || err == nil && r == nil {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	good, err := strconv.Atoi(string(r.Data))
	if err != nil {
		return false, false, fmt.Errorf("a fence: %w", err)
	}
	return t.Deliveries < good, t.Deliveries+1 == good && r.Type == givenBack, nil
}
