package eventlog

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	embeddedStart = 30 * time.Second // for a large store to be read
	maxPayload    = 2 << 20

	// maxStore is no bound. The server adds up what its streams may take at most and refuses one that would go beyond, by default
	// beyond three quarters of the free disk; what projects really take is bounded by ROLECALL_EVENT_MAX_BYTES.
	maxStore = 1 << 60
)

// startEmbedded starts a NATS server in this process that listens nowhere. Every write is on disk before it is acknowledged.
func startEmbedded(dir string, logger *slog.Logger) (*server.Server, func() error, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("the event log's directory: %w", err)
	}
	unlock, err := lockDir(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, nil, err
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "rolecall", DontListen: true, NoSigs: true, MaxPayload: maxPayload,
		JetStream: true, JetStreamMaxStore: maxStore, StoreDir: dir, SyncAlways: true, DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the event log's server: %w", err), unlock())
	}
	s.SetLoggerV2(natsLogger{logger.With("part", "nats")}, false, false, false)
	s.Start()
	stop := func() error {
		s.Shutdown()
		s.WaitForShutdown()
		return unlock()
	}
	if !s.ReadyForConnections(embeddedStart) {
		return nil, nil, errors.Join(fmt.Errorf("the event log in %s did not start within %s; its log says why", dir, embeddedStart), stop())
	}
	if !s.JetStreamEnabled() {
		return nil, nil, errors.Join(fmt.Errorf("the event log in %s could not be opened; its log says why", dir), stop())
	}
	return s, stop, nil
}

// natsLogger passes on what matters of the server's talk.
type natsLogger struct{ log *slog.Logger }

func (l natsLogger) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLogger) Warnf(format string, v ...any)   { l.log.Warn(fmt.Sprintf(format, v...)) }
func (l natsLogger) Fatalf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l natsLogger) Errorf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l natsLogger) Debugf(string, ...any)           {}
func (l natsLogger) Tracef(string, ...any)           {}
