package sdktest

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/apiserver"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	defaultProject = "default"
	// host is a name that the handlers take for a caller on this machine.
	host = "127.0.0.1:3009"
	// pollingIntervalMs is how soon a client looks again where it polls: a test need not wait.
	pollingIntervalMs = sdk.MinPollingIntervalMs
)

// TB is what a [Server] needs of a test: a [testing.TB] is one.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

type options struct {
	log   *slog.Logger
	start time.Time
	limit time.Duration
	skips bool
}

// Option changes a [Server] before it begins.
type Option func(*options)

// StartAt is what the clock shows at first. Default the machine's time: deadlines that agents are given lie ahead for them, too.
func StartAt(t time.Time) Option { return func(o *options) { o.start = t } }

// SkipPauses lets the clock jump over the pauses between attempts by itself, as soon as no agent works: for a test that only cares how
// its tasks end. What else is due before the end of the pause happens as well.
func SkipPauses() Option { return func(o *options) { o.skips = true } }

// Logger gets the log of the server and of its agents' panics. Default none.
func Logger(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// Patience bounds every wait of the server's methods for a fact, by the machine's clock; beyond it the test fails. Default 10 s.
func Patience(d time.Duration) Option { return func(o *options) { o.limit = d } }

// Server is a rolecall service for one test, seen from one project: that of its clients, its agents and the tasks that it answers;
// "default", unless [Server.In] names another. It is safe for concurrent use.
type Server struct {
	tb       TB
	engine   *engine
	events   *events
	streams  context.Context // ends with the test
	end      context.CancelFunc
	project  string
	loopback *loopback
}

// loopback is where a server listens, from the first time that somebody asks.
type loopback struct {
	mu     sync.Mutex
	server *httptest.Server
}

// New makes a server that ends with the test.
func New(tb TB, opts ...Option) *Server {
	tb.Helper()
	o := options{
		log: slog.New(slog.NewTextHandler(io.Discard, nil)), start: time.Now().Round(0), limit: 10 * time.Second,
	}
	for _, option := range opts {
		option(&o)
	}
	e := newEngine(tb, o)
	api, err := apiserver.New(apiserver.Config{Addr: host, Leases: e, Sessions: e, Plans: e}, e, o.log)
	if err != nil {
		tb.Fatalf("sdktest: make the API server: %v", err)
	}
	e.events = &events{tb: tb, engine: e, plain: api, agents: &watched{engine: e}}
	s := &Server{tb: tb, engine: e, events: e.events, project: defaultProject, loopback: &loopback{}}
	s.streams, s.end = context.WithCancel(context.Background())
	tb.Cleanup(s.close)
	return s
}

func (s *Server) close() {
	defer s.events.close()
	s.engine.close()
	s.end()
	s.loopback.mu.Lock()
	defer s.loopback.mu.Unlock()
	if s.loopback.server != nil {
		s.loopback.server.CloseClientConnections()
		s.loopback.server.Close()
	}
}

// In is the same server, with the same clock, seen from another project.
func (s *Server) In(project string) *Server {
	s.tb.Helper()
	if !sdk.ValidProject(project) {
		s.tb.Fatalf("sdktest: project %q is not well-formed", project)
	}
	other := *s
	other.project = project
	return &other
}

// Handler answers the whole API, for a caller with a transport of its own. Requests have to name a loopback address as their host.
func (s *Server) Handler() http.Handler { return s.events }

// Client is a client of the server's project. It reaches the server without a network.
func (s *Server) Client() *sdk.Client {
	s.tb.Helper()
	c, err := sdk.NewClient(sdk.Config{
		URL: "http://" + host, ProjectID: s.project, PollingIntervalMs: pollingIntervalMs,
		HTTPClient: &http.Client{Transport: direct{s.events, s.streams}},
	})
	if err != nil {
		s.tb.Fatalf("sdktest: make a client: %v", err)
	}
	return c
}

// URL is an address on this machine where the server can be reached, for callers that are no Go clients. It listens from the first
// call on.
func (s *Server) URL() string {
	s.loopback.mu.Lock()
	defer s.loopback.mu.Unlock()
	if s.loopback.server == nil {
		s.loopback.server = httptest.NewServer(s.events)
	}
	return s.loopback.server.URL
}

// Clock is the server's clock.
func (s *Server) Clock() *Clock { return &Clock{s.engine} }
