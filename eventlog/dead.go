package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	deadStream  = "rolecall-DEAD" // no project's: their names are lower case
	deadPrefix  = "rd."
	maxDead     = 1000 // kept of each subscription, the newest
	deadPage    = 200
	headerPlace = "Rolecall-Sequence"
	headerTries = "Rolecall-Deliveries"
)

// Dead is an event that was given out as often as its subscription allows and never acknowledged.
type Dead struct {
	Record     *Record
	Deliveries int
	At         time.Time // when it was given up
	position   uint64
}

func deadSubject(project, name string) string { return deadPrefix + project + "." + name }

func (l *Log) deadStream(ctx context.Context) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return l.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: deadStream, Description: "Events that no receiver of a subscription acknowledged.", Subjects: []string{deadPrefix + ">"},
		MaxMsgsPerSubject: maxDead, MaxAge: l.cfg.MaxAge, MaxBytes: l.cfg.MaxBytes, MaxMsgSize: maxMessage, Replicas: l.cfg.Replicas,
		Storage: jetstream.FileStorage, Duplicates: l.cfg.DedupWindow,
	})
}

// bury keeps an event among the dead ones of a subscription.
func (l *Log) bury(ctx context.Context, project, name string, r *Record, deliveries int) error {
	if _, err := l.deadStream(ctx); err != nil {
		return fmt.Errorf("keep a dead event: %w", err)
	}
	m := messageOf(deadSubject(project, name), r)
	m.Header.Set(headerPlace, strconv.FormatUint(r.Sequence, 10))
	m.Header.Set(headerTries, strconv.Itoa(deliveries))
	m.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("%s/%s/%d", project, name, r.Sequence))
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := l.js.PublishMsg(ctx, m); err != nil {
		return fmt.Errorf("keep a dead event: %w", err)
	}
	l.log.Warn("an event was given out too often and is dead", "project", project, "subscription", name, "sequence", r.Sequence, "deliveries", deliveries)
	return nil
}

// ListDead answers the dead events of a subscription, oldest first, those after a cursor of an earlier answer (0 at first). next is
// 0 at the end.
func (l *Log) ListDead(ctx context.Context, project, name string, after uint64) (list []Dead, next uint64, err error) {
	if _, err := l.GetSubscription(ctx, project, name); err != nil {
		return nil, 0, err
	}
	stream, err := l.js.Stream(ctx, deadStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fault(err)
	}
	subject := deadSubject(project, name)
	last, err := lastMessage(ctx, stream, subject)
	if err != nil || last == nil || last.Sequence <= after {
		return nil, 0, fault(err)
	}
	r, err := newReader(ctx, stream, []string{subject}, after, time.Time{}, last.Sequence)
	if err != nil {
		return nil, 0, fault(err)
	}
	defer r.close()
	for {
		page, err := r.page(ctx)
		if err != nil {
			return nil, 0, fault(err)
		}
		if len(page) == 0 {
			return list, 0, nil
		}
		for _, t := range page {
			if len(list) == deadPage {
				return list, list[deadPage-1].position, nil
			}
			d := Dead{Record: t.Record, At: t.at, position: t.Sequence}
			if err := d.restore(t.msg); err != nil {
				return nil, 0, fault(err)
			}
			list = append(list, d)
		}
	}
}

func (l *Log) dropDead(ctx context.Context, project, name string) error {
	stream, err := l.js.Stream(ctx, deadStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fault(err)
	}
	return fault(stream.Purge(ctx, jetstream.WithPurgeSubject(deadSubject(project, name))))
}

// restore reads what burying wrote: where the event stands in its project's log, and how often it was given out.
func (d *Dead) restore(m jetstream.Msg) (err error) {
	if d.Record.Sequence, err = strconv.ParseUint(m.Headers().Get(headerPlace), 10, 64); err != nil {
		return fmt.Errorf("a dead event without its sequence: %w", err)
	}
	if d.Deliveries, err = strconv.Atoi(m.Headers().Get(headerTries)); err != nil {
		return fmt.Errorf("a dead event without its deliveries: %w", err)
	}
	return nil
}
