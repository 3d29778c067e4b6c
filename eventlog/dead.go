package eventlog

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	deadStream  = "rolecall_dead" // no project's: their streams begin with rolecall-
	deadPrefix  = "rd."
	deadBytes   = 1 << 30
	maxDead     = 1000 // kept of each subscription, the newest
	deadPage    = 200
	pageBytes   = 4 << 20 // of the events of a page, beyond which it takes no more
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

// allDead is the subject of all dead events of a subscription.
func allDead(project, name string) string { return deadPrefix + project + "." + name + ".*" }

func (l *Log) deadConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: deadStream, Description: "Events that no receiver of a subscription acknowledged.", Subjects: []string{deadPrefix + ">"},
		MaxMsgsPerSubject: 1, MaxAge: l.cfg.MaxAge, MaxBytes: deadBytes, MaxMsgSize: maxMessage, Replicas: l.cfg.Replicas,
		Storage: jetstream.FileStorage,
	}
}

// bury keeps an event among the dead ones of a subscription, once however often it is buried.
func (l *Log) bury(ctx context.Context, project, name string, r *Record, deliveries int) error {
	m := messageOf(fmt.Sprintf("%s%s.%s.%d", deadPrefix, project, name, r.Sequence), r)
	m.Header.Set(headerPlace, strconv.FormatUint(r.Sequence, 10))
	m.Header.Set(headerTries, strconv.Itoa(deliveries))
	if err := l.aside(ctx, l.deadConfig(), []*nats.Msg{m}); err != nil {
		return fmt.Errorf("keep a dead event: %w", err)
	}
	l.log.Warn("an event was given out too often and is dead", "project", project, "subscription", name, "sequence", r.Sequence, "deliveries", deliveries)
	return l.purgeDead(ctx, project, name, jetstream.WithPurgeKeep(maxDead))
}

// ListDead answers a page of the dead events of a subscription, oldest first, those after a cursor of an earlier answer (0 at first). next is
// 0 at the end.
func (l *Log) ListDead(ctx context.Context, project, name string, after uint64) (list []Dead, next uint64, err error) {
	if _, err := l.GetSubscription(ctx, project, name); err != nil {
		return nil, 0, err
	}
	subject := allDead(project, name)
	last, err := l.look(ctx, deadStream, ask{Last: subject})
	if isGone(err) || err == nil && (last == nil || last.Sequence <= after) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fault(ctx, err)
	}
	stream, err := l.js.Stream(ctx, deadStream)
	if err != nil {
		return nil, 0, fault(ctx, err)
	}
	r := l.newReader(reading{
		stream: stream, subject: subject, from: start{after: after}, upTo: last.Sequence, created: stream.CachedInfo().Created, patchy: true,
	})
	defer r.close()
	for bytes := 0; ; {
		page, err := r.page(ctx)
		if err != nil {
			return nil, 0, fault(ctx, err)
		}
		if len(page) == 0 {
			return list, 0, nil
		}
		for _, t := range page {
			if n := len(list); n == deadPage || bytes > pageBytes {
				return list, list[n-1].position, nil
			}
			bytes += len(t.Data)
			d := Dead{Record: t.Record, At: t.at, position: t.Sequence}
			if err := d.restore(t.header); err != nil {
				return nil, 0, fault(ctx, err)
			}
			list = append(list, d)
		}
	}
}

// dropDead removes the dead events of a subscription.
func (l *Log) dropDead(ctx context.Context, project, name string) error {
	return fault(ctx, l.purgeDead(ctx, project, name))
}

func (l *Log) purgeDead(ctx context.Context, project, name string, keep ...jetstream.StreamPurgeOpt) error {
	ctx, cancel := l.during(ctx, callTimeout)
	defer cancel()
	stream, err := l.js.Stream(ctx, deadStream)
	if err != nil {
		if isGone(err) {
			return nil
		}
		return err
	}
	return stream.Purge(ctx, append(keep, jetstream.WithPurgeSubject(allDead(project, name)))...)
}

// restore reads what burying wrote: where the event stands in its project's log, and how often it was given out.
func (d *Dead) restore(h nats.Header) (err error) {
	if d.Record.Sequence, err = strconv.ParseUint(h.Get(headerPlace), 10, 64); err != nil {
		return fmt.Errorf("a dead event without its sequence: %w", err)
	}
	if d.Deliveries, err = strconv.Atoi(h.Get(headerTries)); err != nil {
		return fmt.Errorf("a dead event without its deliveries: %w", err)
	}
	return nil
}
