package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	callTimeout   = 5 * time.Second
	reconnectWait = 250 * time.Millisecond

	// looksBeforeWarning leaves a connection that is being made the time to be.
	looksBeforeWarning = 4
)

// Log is the event log of every project. It is safe for concurrent use.
type Log struct {
	cfg  Config
	nc   *nats.Conn
	js   jetstream.JetStream
	log  *slog.Logger
	stop func() error  // ends an embedded server
	idle time.Duration // after which the server forgets a consumer that nobody reads from

	refused atomic.Bool // the log has said that its credentials are, since it was connected

	life context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex
	projects map[string]*project
	made     map[string]bool // the streams beside the projects' own
	buckets  map[string]jetstream.KeyValue
	online   context.Context // ends when the connection is lost
	offline  context.CancelFunc
	since    time.Time // when the connection was made; zero while there is none
}

// Open opens the log; call [Log.Close] when done. An embedded one has read its files and can be used, unless ctx ended before. An
// external one need not be there: until it is, what needs it is refused as unavailable. [Log.Await] waits for it, and says of one that can
// not be used why; the log's log does too.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("the event log's configuration: %w", err)
	}
	cfg = cfg.withDefaults()
	l := &Log{
		cfg: cfg, log: cfg.Logger, stop: func() error { return nil }, idle: readerIdle,
		projects: map[string]*project{}, made: map[string]bool{}, buckets: map[string]jetstream.KeyValue{},
	}
	l.life, l.end = context.WithCancel(context.Background())
	l.online, l.offline = context.WithCancel(context.Background())
	open := l.openExternal
	if cfg.URL == "" {
		open = func() error { return l.openEmbedded(ctx) }
	}
	if err := open(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Log) openEmbedded(ctx context.Context) error {
	s, err := StartServer(ServerConfig{Dir: l.cfg.Dir, Logger: l.log})
	if err != nil {
		return err
	}
	l.stop = s.Stop
	if err := l.connect(append(l.connectOptions(), nats.InProcessServer(s.nats))); err != nil {
		return err
	}
	return l.Await(ctx)
}

func (l *Log) openExternal() error {
	d := newDialer()
	if err := l.connect(append(l.connectOptions(), nats.SetCustomDialer(d), nats.SkipHostLookup())); err != nil {
		return err
	}
	d.begin()
	if err := l.nc.ForceReconnect(); err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	l.spawn(func() {
		if err := l.Await(l.life); err != nil && l.life.Err() == nil {
			l.log.Error("the event log can not be used", "error", err)
		}
	})
	return nil
}

func (l *Log) connect(opts []nats.Option) (err error) {
	if l.nc, err = nats.Connect(l.cfg.URL, opts...); err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	if l.js, err = jetstream.New(l.nc, jetstream.WithDefaultTimeout(callTimeout), jetstream.WithPublishAsyncTimeout(releaseAfter)); err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	return nil
}

// Await waits until the log can be written and read. It fails when ctx ends, and at once where the NATS has no JetStream or takes no
// messages as large as an event may be.
func (l *Log) Await(ctx context.Context) error {
	again := time.NewTicker(reconnectWait)
	defer again.Stop()
	for looks := 1; ; looks++ {
		err := l.Ready(ctx)
		if err == nil {
			if looks > looksBeforeWarning {
				l.log.Info("the event log can be reached")
			}
			return nil
		}
		if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
			return fmt.Errorf("the NATS at ROLECALL_NATS_URL has no JetStream for this user: %w", err)
		}
		if errors.Is(err, nats.ErrMaxPayload) {
			return err
		}
		if looks == looksBeforeWarning {
			l.log.Warn("the event log can not be reached; waiting for it", "error", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting for the event log: %w", errors.Join(context.Cause(ctx), err))
		case <-again.C:
		}
	}
}

// Ready answers nil when the log can be written and read: unavailable when it can not, internal when it takes only small events.
func (l *Log) Ready(ctx context.Context) error {
	call, cancel := l.during(ctx, callTimeout)
	defer cancel()
	if _, err := l.js.AccountInfo(call); err != nil {
		return fault(ctx, err)
	}
	return l.fits()
}

// fits refuses a NATS that takes no messages as large as an event may be: such an event could never be kept.
func (l *Log) fits() error {
	most := l.nc.MaxPayload()
	if most >= maxMessage {
		return nil
	}
	e := sdk.Errorf(sdk.CodeInternal, "the NATS at ROLECALL_NATS_URL takes messages of at most %d bytes; set its max_payload to %d or more", most, maxMessage)
	e.Cause = nats.ErrMaxPayload
	return e
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
		p = &project{log: l, id: id, changing: make(chan struct{}, 1)}
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
