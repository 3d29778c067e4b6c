package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	callTimeout   = 5 * time.Second
	reconnectWait = 250 * time.Millisecond
)

// Log is the event log of every project. It is safe for concurrent use.
type Log struct {
	cfg  Config
	nc   *nats.Conn
	js   jetstream.JetStream
	log  *slog.Logger
	stop func() error // ends an embedded server

	life context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex
	projects map[string]*project
	made     map[string]bool // the streams beside the projects' own
	online   context.Context // ends when the connection is lost
	offline  context.CancelFunc
}

// Open opens the log: an embedded one whole, an external one as soon as a server answers or ctx ends. Call [Log.Close] when done.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("the event log's configuration: %w", err)
	}
	cfg = cfg.withDefaults()
	l := &Log{cfg: cfg, log: cfg.Logger, stop: func() error { return nil }, projects: map[string]*project{}, made: map[string]bool{}}
	l.life, l.end = context.WithCancel(context.Background())
	l.online, l.offline = context.WithCancel(context.Background())
	if err := l.open(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Log) open(ctx context.Context) error {
	opts, url := l.connectOptions(), l.cfg.URL
	if url == "" {
		s, stop, err := startEmbedded(l.cfg.Dir, l.log)
		if err != nil {
			return err
		}
		l.stop = stop
		opts = append(opts, nats.InProcessServer(s))
	}
	var err error
	if l.nc, err = nats.Connect(url, opts...); err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	if l.js, err = jetstream.New(l.nc, jetstream.WithDefaultTimeout(callTimeout), jetstream.WithPublishAsyncTimeout(releaseAfter)); err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	return l.await(ctx)
}

// await waits for JetStream to answer.
func (l *Log) await(ctx context.Context) error {
	said := false
	again := time.NewTicker(reconnectWait)
	defer again.Stop()
	for {
		err := l.Ready(ctx)
		if err == nil {
			return nil
		}
		if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
			return fmt.Errorf("the NATS at ROLECALL_NATS_URL has no JetStream for this user: %w", err)
		}
		if !said {
			l.log.Warn("the event log cannot be reached; waiting for it", "error", err)
			said = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting for the event log: %w", errors.Join(context.Cause(ctx), err))
		case <-again.C:
		}
	}
}

// Ready answers nil when the log can be written and read.
func (l *Log) Ready(ctx context.Context) error {
	call, cancel := l.during(ctx, callTimeout)
	defer cancel()
	if _, err := l.js.AccountInfo(call); err != nil {
		return fault(ctx, err)
	}
	return nil
}

// Close ends every follower and waits for appends that are being written.
func (l *Log) Close() error {
	l.mu.Lock()
	l.end()
	l.mu.Unlock()
	l.work.Wait()
	if l.nc != nil {
		l.nc.Close()
	}
	l.disconnected()
	return l.stop()
}

// project answers what the process keeps of a project. Ids are well-formed when they get here; one that is not is a mistake of the
// caller's, refused because it would become part of a subject.
func (l *Log) project(id string) (*project, error) {
	if !sdk.ValidProject(id) {
		return nil, sdk.Errorf(sdk.CodeInternal, "%q is no project id", id)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.Err() != nil {
		return nil, closed()
	}
	p := l.projects[id]
	if p == nil {
		p = &project{log: l, id: id}
		l.projects[id] = p
	}
	return p, nil
}

// spawn runs f until it ends, at the latest soon after Close; false says that the log is closed.
func (l *Log) spawn(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.Err() != nil {
		return false
	}
	l.work.Go(f)
	return true
}
