package apiserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/apiserver/seal"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// The time limits of a connection. There is none on writing: a wait may take as long as [sdk.MaxWaitMs].
const (
	readHeaderTimeout = 10 * time.Second
	bodyTimeout       = 30 * time.Second // for a body to arrive
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// defaultShutdownGrace stands for [Config.ShutdownGrace] 0.
const defaultShutdownGrace = 10 * time.Second

// Server answers the HTTP API.
type Server struct {
	cfg       Config
	tasks     Tasks
	log       *slog.Logger
	projects  *projects
	keys      *keys.Store // nil without keys
	limits    *limits
	works     *limits    // of the requests of agents at work
	seals     *seal.Ring // nil without keys, events, leases and agents
	attempts  *limits    // of the keys of attempts
	metrics   *metrics
	tracer    trace.Tracer
	redaction redact.Events // of what is stored
	handler   http.Handler

	bodyTimeout time.Duration

	draining   context.Context // ends when the server stops: waits are answered then, and streams end
	drain      context.CancelFunc
	waits      waits
	errorScans *scans
	eventScans *scans
	runScans   *scans
	ready      readiness

	streams     waits
	times       streamTimes // of streams
	errorPart   int         // events of the log that are looked at together for an answer about failures
	eventsReady readiness
	eventsAway  atomic.Pointer[time.Time] // when the event log was found away last; nil is never
	outputs     outputAttempts
	addressees  *addressees
}

// New makes a server over tasks. It refuses a configuration that is not valid, naming every fault.
func New(cfg Config, tasks Tasks, logger *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("the API server's configuration: %w", err)
	}
	if cfg.ShutdownGrace == 0 {
		cfg.ShutdownGrace = defaultShutdownGrace
	}
	redaction, err := cfg.Redaction()
	if err != nil {
		return nil, err
	}
	logger = redaction.Redactor.Logger(logger)
	s := &Server{cfg: cfg, tasks: tasks, log: logger, projects: newProjects(maxProjects), bodyTimeout: bodyTimeout, redaction: redaction}
	s.addressees = newAddressees()
	s.errorScans = newScans(errorScansAtOnce, errorScansOfAProject)
	s.eventScans = newScans(eventScansAtOnce, eventScansOfAProject)
	s.runScans = newScans(runScansAtOnce, runScansOfAProject)
	s.waits.bound(waitBounds{maxWaits, maxWaitsOfAKey, maxWaitsOfAnAttempt, "wait already", "ask again later, or without waitMs"})
	s.streams.bound(waitBounds{maxStreams, maxStreamsOfAKey, maxStreamsOfAnAttempt, "are streams already", "end one, or follow with one what several do"})
	s.times, s.errorPart = defaultStreamTimes(), errorScanPart
	s.limits = newLimits(cfg.RateLimit, cfg.RateBurst, keys.MaxKeys)
	s.works = newLimits(workRate*cfg.RateLimit, workRate*cfg.RateBurst, keys.MaxKeys)
	s.attempts = newLimits(cfg.RateLimit, cfg.RateBurst, keys.MaxKeys)
	if cfg.KeysFile != "" {
		if s.keys, err = keys.Open(cfg.KeysFile, logger); err != nil {
			return nil, err
		}
	}
	if cfg.KeysFile != "" || cfg.Events != nil || cfg.Leases != nil || cfg.Agents != nil {
		if s.seals, err = sealingKeys(cfg, logger); err != nil {
			return nil, err
		}
	}
	s.tracer = tracerOf(cfg.TracerProvider)
	if s.metrics, err = newMetrics(cfg.Metrics, func() float64 { return float64(s.waits.count()) }, func() float64 { return float64(s.streams.count()) }); err != nil {
		return nil, err
	}
	s.draining, s.drain = context.WithCancel(context.Background())
	handler, err := s.routes()
	if err != nil {
		s.drain()
		return nil, err
	}
	s.handler = handler
	return s, nil
}

// WithEvents makes a server like this one that has an event log and a registry of agents. Both know the same tasks and the same projects, and
// take each other's leases; each bounds its own requests. One that counts into a registry refuses.
func (s *Server) WithEvents(log *eventlog.Log, agents Agents) (*Server, error) {
	cfg := s.cfg
	cfg.Events, cfg.Agents = log, agents
	other, err := New(cfg, s.tasks, s.log)
	if err != nil {
		return nil, err
	}
	other.projects = s.projects
	if s.seals != nil {
		other.seals = s.seals
	}
	return other, nil
}

// leaseKeysName is the file of the sealing keys in [Config.DataDir].
const leaseKeysName = "lease-keys"

// sealingKeys are those of the file that is named, else of the data directory's own.
func sealingKeys(cfg Config, logger *slog.Logger) (ring *seal.Ring, err error) {
	path, made := cfg.LeaseKeysFile, false
	switch {
	case path != "":
		ring, err = seal.Read(path)
	case cfg.DataDir == "":
		return seal.New(), nil
	default:
		path = filepath.Join(cfg.DataDir, leaseKeysName)
		ring, made, err = seal.ReadOrMake(path)
	}
	if err != nil {
		return nil, err
	}
	if made {
		logger.Warn("made sealing keys for this server alone: another one takes no key of an attempt, no lease and no ack that this one made, and the other way round; "+
			"give all of them one file in ROLECALL_LEASE_KEYS_FILE", "file", path)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o004 != 0 {
		logger.Warn("every user of this machine can read the sealing keys, and make tokens with them; take that away with chmod o=", "file", path)
	}
	return ring, nil
}

// Handler answers the whole API, for a server of the caller's own. Such a caller runs [Server.FollowKeys] beside it: without that a
// key that is revoked goes on until the server is made anew.
func (s *Server) Handler() http.Handler { return s.handler }

// FollowKeys takes changes of the keys file over until ctx ends, each within about a second. [Server.Serve] does so itself; at most
// one of them runs at a time. Without keys it only waits.
func (s *Server) FollowKeys(ctx context.Context) {
	if s.keys == nil {
		<-ctx.Done()
		return
	}
	s.keys.Follow(ctx)
}

// Serve answers on l until ctx ends; then waits are answered with the state of their task, streams end, open requests get
// [Config.ShutdownGrace] to end, and nil is returned. A server serves once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	following, stop := context.WithCancel(ctx)
	var follower sync.WaitGroup
	defer follower.Wait()
	defer stop()
	follower.Go(func() { s.FollowKeys(following) })
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	s.log.Info("the API is served", "addr", l.Addr().String(), "keys", s.keys != nil)
	select {
	case err := <-failed:
		return fmt.Errorf("serve the API: %w", err)
	case <-ctx.Done():
	}
	s.drain()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		s.log.Warn("requests were cut off at the end of the grace", "error", err)
		if err := server.Close(); err != nil {
			s.log.Warn("connections were not closed cleanly", "error", err)
		}
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API: %w", err)
	}
	return nil
}
