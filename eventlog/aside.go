package eventlog

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// aside writes messages to a stream beside the projects' own, which it makes where there is none.
func (l *Log) aside(ctx context.Context, cfg jetstream.StreamConfig, msgs []*nats.Msg) error {
	if err := l.makeAside(ctx, cfg); err != nil {
		return err
	}
	futures, err := l.publishAsync(msgs)
	if err != nil {
		return err
	}
	if _, err := l.placesOf(futures, answerTimeout); err != nil {
		l.mu.Lock()
		delete(l.made, cfg.Name) // it may have been removed
		l.mu.Unlock()
		return err
	}
	return nil
}

func (l *Log) makeAside(ctx context.Context, cfg jetstream.StreamConfig) error {
	l.mu.Lock()
	made := l.made[cfg.Name]
	l.mu.Unlock()
	if made {
		return nil
	}
	ctx, cancel := l.during(ctx, callTimeout)
	defer cancel()
	if _, err := l.js.CreateOrUpdateStream(ctx, cfg); err != nil {
		return err
	}
	l.mu.Lock()
	l.made[cfg.Name] = true
	l.mu.Unlock()
	return nil
}
