package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/singleflight"
)

// maxMessage is the largest message a stream takes: the largest data, with room for the rest of an event.
const maxMessage = 1 << 20

// project is what the process keeps of a project: its stream once it is known to be there, what waits to be written, and the tail
// that its followers share.
type project struct {
	log *Log
	id  string

	looking singleflight.Group // one look for the stream at a time

	mu         sync.Mutex
	stream     jetstream.Stream // nil before it was seen
	configured bool             // whether this process gave it its configuration
	queue      []*write
	queued     int // bytes in queue
	writing    bool

	changing  chan struct{} // holds one while a subscription is made, changed or ended: JetStream does not take that at once
	following sync.Mutex
	tail      *tail // nil while nobody follows
}

func (p *project) config() jetstream.StreamConfig {
	cfg := p.log.cfg
	return jetstream.StreamConfig{
		Name: streamName(p.id), Description: fmt.Sprintf("The events of the project %s.", p.id), Subjects: []string{everything(p.id)},
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, Storage: jetstream.FileStorage,
		MaxAge: cfg.MaxAge, MaxBytes: cfg.MaxBytes, MaxMsgSize: maxMessage, Duplicates: cfg.DedupWindow, Replicas: cfg.Replicas,
		AllowAtomicPublish: true,
	}
}

// ensure answers the project's stream with the configuration of this process; it makes the stream where there is none yet.
func (p *project) ensure(ctx context.Context) (jetstream.Stream, error) {
	if s, configured := p.known(); configured {
		return s, nil
	}
	return p.seek(ctx, "ensure", func(ctx context.Context) (jetstream.Stream, error) {
		return p.log.js.CreateOrUpdateStream(ctx, p.config())
	})
}

// find answers the project's stream, nil where nothing was ever written.
func (p *project) find(ctx context.Context) (jetstream.Stream, error) {
	if s, _ := p.known(); s != nil {
		return s, nil
	}
	s, err := p.seek(ctx, "find", func(ctx context.Context) (jetstream.Stream, error) { return p.log.js.Stream(ctx, streamName(p.id)) })
	if isGone(err) {
		return nil, nil //nolint:nilnil // no stream is an answer: the project has no events
	}
	return s, err
}

// ensured answers the project's stream and what it holds. It makes the stream where there is none, or none any more.
func (p *project) ensured(ctx context.Context) (jetstream.Stream, extent, error) {
	for again := false; ; again = true {
		s, err := p.ensure(ctx)
		if err != nil {
			return nil, extent{}, err
		}
		e, err := p.log.extent(ctx, s)
		p.lost(err)
		if err == nil || again || !isGone(err) {
			return s, e, err
		}
	}
}

// known answers the stream if this process has seen it, and whether it gave it its configuration.
func (p *project) known() (jetstream.Stream, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stream, p.configured
}

// seek looks for the stream once for all who want the same at the same time. Each waits for it as long as its own ctx lasts.
func (p *project) seek(ctx context.Context, what string, look func(context.Context) (jetstream.Stream, error)) (jetstream.Stream, error) {
	if !p.log.nc.IsConnected() {
		return nil, nats.ErrDisconnected
	}
	found := p.looking.DoChan(what, func() (any, error) {
		ctx, cancel := p.log.during(p.log.life, callTimeout)
		defer cancel()
		s, err := look(ctx)
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stream, p.configured = s, p.configured || what == "ensure"
		return s, nil
	})
	select {
	case f := <-found:
		s, _ := f.Val.(jetstream.Stream)
		return s, f.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lost forgets a stream that is not there any more, as after an operator removed it.
func (p *project) lost(err error) {
	if isGone(err) || errors.Is(err, jetstream.ErrNoStreamResponse) {
		p.mu.Lock()
		p.stream, p.configured = nil, false
		p.mu.Unlock()
	}
}
