package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The time limits of a connection to the metrics, and of the end.
const (
	headerTimeout = 5 * time.Second
	answerTimeout = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	closeGrace    = time.Second
	maxScrapes    = 8 // at once; one more is answered 503
)

// listen opens the metrics' address; nil is none. An address that nobody asked for and that is taken is given up with a warning.
func (o Options) listen(ctx context.Context) (net.Listener, error) {
	addr, asked := o.MetricsAddr, true
	if addr == "" {
		addr, asked = o.FallbackAddr, false
	}
	if addr == "" || addr == metricsOff {
		return nil, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	switch {
	case err == nil:
		return l, nil
	case !asked:
		o.Logger.Warn("no metrics are served: the default address cannot be listened on; ROLECALL_METRICS_ADDR names another one, or off", "addr", addr, "error", err)
		return nil, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken by another program; set ROLECALL_METRICS_ADDR to another address, or end that program: %w", addr, err)
	default:
		return nil, fmt.Errorf("cannot listen on %s (ROLECALL_METRICS_ADDR): %w", addr, err)
	}
}

// MetricsURL is where the metrics are; empty when they are not served.
func (t *Telemetry) MetricsURL() string {
	if t.listener == nil {
		return ""
	}
	return "http://" + t.listener.Addr().String() + "/metrics"
}

// serve answers GET /metrics until the server is closed.
func (t *Telemetry) serve() {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorLog: scrapeLog{t.log}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes, Timeout: answerTimeout,
	}))
	t.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: answerTimeout + headerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(t.log.Handler(), slog.LevelDebug),
	}
	t.served.Go(func() {
		if err := t.server.Serve(t.listener); !errors.Is(err, http.ErrServerClosed) {
			t.log.Error("metrics are served no more", "error", err)
		}
	})
	t.log.Info("metrics are served", "url", t.MetricsURL())
}

// scrapeLog tells of metrics that could not be gathered.
type scrapeLog struct{ log *slog.Logger }

func (s scrapeLog) Println(v ...any) { s.log.Warn("metrics", "error", fmt.Sprint(v...)) }
