package eventlog

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// pingEvery finds out about a connection that nobody closed and nothing comes over; it is given up at the third ping.
const pingEvery = 10 * time.Second

// noBuffer lets nothing be sent later than it was meant: what is written while there is no connection fails at once.
const noBuffer = -1

// connectOptions say how to connect. The first connection too is tried again and again: NATS may start after this process.
func (l *Log) connectOptions() []nats.Option {
	opts := []nats.Option{
		nats.Name("rolecall"), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectBufSize(noBuffer),
		nats.RetryOnFailedConnect(true), nats.IgnoreAuthErrorAbort(), nats.Timeout(callTimeout), nats.PingInterval(pingEvery),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			l.disconnected()
			if err != nil {
				l.log.Warn("the connection to the event log is lost; trying again", "error", err)
			}
		}),
		nats.ConnectHandler(func(*nats.Conn) { l.connected() }),
		nats.ReconnectHandler(func(c *nats.Conn) {
			l.connected()
			l.log.Info("connected to the event log again", "server", c.ConnectedUrlRedacted())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			if isRefusal(err) && l.refused.Swap(true) {
				return // it is tried again and again
			}
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			l.log.Warn("the event log's connection", "error", err, "subject", subject)
		}),
	}
	if l.cfg.CredsFile != "" {
		opts = append(opts, nats.UserCredentials(l.cfg.CredsFile))
	}
	if l.cfg.CAFile != "" {
		opts = append(opts, nats.RootCAs(l.cfg.CAFile))
	}
	if l.cfg.CertFile != "" {
		opts = append(opts, nats.ClientCert(l.cfg.CertFile, l.cfg.KeyFile))
	}
	return opts
}

// isRefusal reports whether an error says that the server does not let this client in.
func isRefusal(err error) bool {
	for _, refusal := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// dialer makes the connections to an external NATS, in the background: it makes none before begin, so that opening a log waits for no
// server and no name.
type dialer struct {
	net.Dialer
	begun atomic.Bool
}

func newDialer() *dialer { return &dialer{Dialer: net.Dialer{Timeout: callTimeout}} }

func (d *dialer) begin() { d.begun.Store(true) }

// Dial connects to one server.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	if !d.begun.Load() {
		return nil, errors.New("the event log is being opened")
	}
	return d.Dialer.Dial(network, address)
}

// connected begins the life of a connection where the one before it has ended.
func (l *Log) connected() {
	l.refused.Store(false)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = time.Now()
	if l.online.Err() != nil {
		l.online, l.offline = context.WithCancel(context.Background())
	}
}

// disconnected ends it, and with it every call that waits for an answer over it.
func (l *Log) disconnected() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = time.Time{}
	l.offline()
}

// Connected answers since when this process is connected to the log; zero while it is not. The log can be away for it all the same.
func (l *Log) Connected() (since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since
}

// while lets ctx end with the connection: what was asked over one that is lost is not answered.
func (l *Log) while(ctx context.Context) (context.Context, context.CancelFunc) {
	l.mu.Lock()
	online := l.online
	l.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(online, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// during is while, for a time.
func (l *Log) during(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, end := l.while(ctx)
	ctx, cancel := context.WithTimeout(ctx, limit)
	return ctx, func() {
		cancel()
		end()
	}
}
