package apiserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
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

// maxWaits is how many requests may wait at once; one more is refused as rate_limited.
const maxWaits = 10_000

// Server answers the HTTP API.
type Server struct {
	cfg      Config
	tasks    Tasks
	log      *slog.Logger
	projects *projects
	keys     *keys.Store // nil without keys
	limits   *limits
	metrics  *metrics
	tracer   trace.Tracer
	handler  http.Handler

	bodyTimeout time.Duration

	draining context.Context // ends when the server stops: waits are answered then
	drain    context.CancelFunc
	waits    atomic.Int64
}

// New makes a server over tasks. It refuses a configuration that is not valid, naming every fault.
func New(cfg Config, tasks Tasks, logger *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("the API server's configuration: %w", err)
	}
	if cfg.ShutdownGrace == 0 {
		cfg.ShutdownGrace = defaultShutdownGrace
	}
	s := &Server{cfg: cfg, tasks: tasks, log: logger, projects: newProjects(maxProjects), bodyTimeout: bodyTimeout}
	s.limits = newLimits(cfg.RateLimit, cfg.RateBurst, keys.MaxKeys)
	if cfg.KeysFile != "" {
		var err error
		if s.keys, err = keys.Open(cfg.KeysFile, logger); err != nil {
			return nil, err
		}
	}
	s.tracer = tracerOf(cfg.TracerProvider)
	var err error
	if s.metrics, err = newMetrics(cfg.Metrics, func() float64 { return float64(s.waits.Load()) }); err != nil {
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

// Handler answers the whole API, for a server of the caller's own.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers on l until ctx ends; then waits are answered with the state of their task, open requests get
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
	if s.keys != nil {
		follower.Go(func() { s.keys.Follow(following) })
	}
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
