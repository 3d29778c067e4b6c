package eventlog

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	embeddedStart = 30 * time.Second // for a large store to be read
	startLook     = 100 * time.Millisecond
	maxPayload    = 2 << 20

	// maxStore is no bound. The server adds up what its streams may take at most and refuses one that would go beyond, by default
	// beyond three quarters of the free disk; what projects really take is bounded by ROLECALL_EVENT_MAX_BYTES.
	maxStore = 1 << 60
)

// ServerConfig is a NATS server in this process.
type ServerConfig struct {
	// Dir is where it keeps its files, which no other process may use at the same time. Required.
	Dir string
	// Addr is the host:port where it listens, port 0 a free one. Whoever reaches it may do everything: it is for loopback addresses.
	// Empty: it listens nowhere.
	Addr string
	// Logger gets the server's log. Default [slog.Default].
	Logger *slog.Logger
}

func (c ServerConfig) options() (*server.Options, error) {
	o := &server.Options{
		ServerName: "rolecall", DontListen: c.Addr == "", NoSigs: true, MaxPayload: maxPayload,
		JetStream: true, JetStreamMaxStore: maxStore, StoreDir: c.Dir, SyncAlways: true, DisableJetStreamBanner: true,
	}
	if c.Addr == "" {
		return o, nil
	}
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return nil, fmt.Errorf("the event log's address: %w", err)
	}
	if o.Port, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("the event log's address %q: %w", c.Addr, err)
	}
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	o.Host = host
	return o, nil
}

// Server is a NATS server with JetStream. Every write is on disk before it is acknowledged.
type Server struct {
	nats *server.Server
	stop func() error
}

// StartServer starts a server and returns when it can be used. Call [Server.Stop] when done.
func StartServer(cfg ServerConfig) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("the event log's directory: %w", err)
	}
	unlock, err := lockDir(filepath.Join(cfg.Dir, "lock"))
	if err != nil {
		return nil, err
	}
	n, err := server.NewServer(opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the event log's server: %w", err), unlock())
	}
	gaveUp := make(chan string, 1)
	n.SetLoggerV2(natsLogger{cfg.Logger.With("part", "nats"), gaveUp}, false, false, false)
	n.Start()
	s := &Server{nats: n, stop: sync.OnceValue(func() error {
		n.Shutdown()
		n.WaitForShutdown()
		return unlock()
	})}
	if err := s.await(gaveUp); err != nil {
		return nil, errors.Join(fmt.Errorf("the event log in %s: %w", cfg.Dir, err), s.Stop())
	}
	if !n.JetStreamEnabled() {
		return nil, errors.Join(fmt.Errorf("the event log in %s could not be opened; its log says why", cfg.Dir), s.Stop())
	}
	return s, nil
}

// await waits until the server can be used, or says why it gave up.
func (s *Server) await(gaveUp <-chan string) error {
	for began := time.Now(); time.Since(began) < embeddedStart; {
		if s.nats.ReadyForConnections(startLook) {
			return nil
		}
		select {
		case why := <-gaveUp:
			return fmt.Errorf("its server gave up: %s", why)
		default:
		}
	}
	return fmt.Errorf("it did not start within %s; its log says why", embeddedStart)
}

// URL is where clients connect; empty for a server that listens nowhere.
func (s *Server) URL() string {
	at := s.nats.Addr()
	if at == nil {
		return ""
	}
	return "nats://" + at.String()
}

// Stop ends the server and lets its directory go. It is safe to call more than once.
func (s *Server) Stop() error { return s.stop() }

// natsLogger passes on what matters of the server's talk.
type natsLogger struct {
	log    *slog.Logger
	gaveUp chan<- string // gets why the server can not go on, the first time; it stays as it is then and does not end
}

func (l natsLogger) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLogger) Warnf(format string, v ...any)   { l.log.Warn(fmt.Sprintf(format, v...)) }
func (l natsLogger) Errorf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l natsLogger) Debugf(string, ...any)           {}
func (l natsLogger) Tracef(string, ...any)           {}

func (l natsLogger) Fatalf(format string, v ...any) {
	why := fmt.Sprintf(format, v...)
	l.log.Error(why)
	select {
	case l.gaveUp <- why:
	default:
	}
}
