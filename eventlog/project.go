package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// maxMessage is the largest message a stream takes: the largest data, with room for the rest of an event.
const maxMessage = 1 << 20

// project is what the process keeps of a project: its stream once it is known to be there, what waits to be written, and the tail
// that its followers share.
type project struct {
	log *Log
	id  string

	opening sync.Mutex // one look for the stream at a time

	mu      sync.Mutex
	stream  jetstream.Stream // nil before it was seen
	queue   []*write
	queued  int // bytes in queue
	writing bool

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

// known answers the stream if this process has seen it.
func (p *project) known() jetstream.Stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stream
}

// ensure answers the project's stream, which it makes where there is none yet.
func (p *project) ensure(ctx context.Context) (jetstream.Stream, error) {
	return p.open(ctx, func(ctx context.Context) (jetstream.Stream, error) {
		return p.log.js.CreateOrUpdateStream(ctx, p.config())
	})
}

// find answers the project's stream, nil where nothing was ever written.
func (p *project) find(ctx context.Context) (jetstream.Stream, error) {
	s, err := p.open(ctx, func(ctx context.Context) (jetstream.Stream, error) { return p.log.js.Stream(ctx, streamName(p.id)) })
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil //nolint:nilnil // no stream is an answer: the project has no events
	}
	return s, err
}

func (p *project) open(ctx context.Context, look func(context.Context) (jetstream.Stream, error)) (jetstream.Stream, error) {
	if s := p.known(); s != nil {
		return s, nil
	}
	p.opening.Lock()
	defer p.opening.Unlock()
	if s := p.known(); s != nil {
		return s, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := look(ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.stream = s
	p.mu.Unlock()
	return s, nil
}

// lost forgets a stream that is not there any more, as after an operator removed it.
func (p *project) lost(err error) {
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrNoStreamResponse) {
		p.mu.Lock()
		p.stream = nil
		p.mu.Unlock()
	}
}

// bounds answers the first and the last position that the stream holds, as its leader knows them. An empty stream's first is one
// beyond its last.
func bounds(ctx context.Context, s jetstream.Stream) (first, last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := s.Info(ctx)
	if err != nil {
		return 0, 0, err
	}
	return max(info.State.FirstSeq, 1), info.State.LastSeq, nil
}

// lastMessage answers the last message of a subject as the stream's leader knows it; nil when there is none.
func lastMessage(ctx context.Context, s jetstream.Stream, subject string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	m, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	return m, err
}
