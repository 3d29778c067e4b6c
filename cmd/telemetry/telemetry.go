// Package telemetry is what a program of rolecall shows of itself while it runs: metrics for Prometheus, those of Temporal's SDK among
// them, on an address of their own, and traces for an OpenTelemetry collector.
//
// No metric has a label that names a task, a session or an agent, or that grows with them. There are no traces, and no header that
// carries one, unless a collector is configured.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
)

// Options of [Start].
type Options struct {
	Config
	// Service is the program's name in traces, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES says another.
	Service string
	// FallbackAddr is where metrics are served when [Config.MetricsAddr] is empty; one that is taken means a warning and no metrics.
	// Empty is nowhere.
	FallbackAddr string
	// Queues are the task queues that the program polls, with what metrics call each: neither project nor agent belongs there.
	// Every other queue is "other" to them.
	Queues map[string]string
	// Logger gets what goes wrong with metrics and traces. Default [slog.Default].
	Logger *slog.Logger
}

// Telemetry is a program's metrics and traces. Call [Telemetry.Close] at the program's end.
type Telemetry struct {
	log      *slog.Logger
	registry *prometheus.Registry
	listener net.Listener             // nil when metrics are not served
	server   *http.Server             // nil when metrics are not served
	served   sync.WaitGroup           // the server's goroutine
	meters   *sdkmetric.MeterProvider // nil when metrics are not served
	queues   map[string]string
	spans    *sdktrace.TracerProvider // nil without tracing
	tracing  interceptor.Interceptor  // nil without tracing
}

// Start serves metrics where there is an address for them, and makes the tracer, where a collector is configured. It is an error
// when an address that was asked for cannot be listened on; a collector that cannot be reached is none, and shows in the log.
func Start(ctx context.Context, o Options) (_ *Telemetry, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	t := &Telemetry{log: o.Logger, registry: prometheus.NewRegistry(), queues: o.Queues}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close())
		}
	}()
	if t.listener, err = o.listen(ctx); err != nil {
		return nil, err
	}
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := t.registry.Register(c); err != nil {
			return nil, fmt.Errorf("metrics of the process: %w", err)
		}
	}
	if t.listener != nil {
		if t.meters, err = newMeters(t.registry); err != nil {
			return nil, fmt.Errorf("metrics of Temporal's SDK: %w", err)
		}
	}
	if o.traces() {
		otel.SetLogger(logr.New(faults{o.Logger})) // the SDK has one in a process
		exporter, err := newExporter(ctx, o.Config)
		if err == nil {
			err = t.startTracing(ctx, exporter, o.Service)
		}
		if err != nil {
			return nil, fmt.Errorf("tracing: %w", err)
		}
	}
	if t.listener != nil {
		t.serve()
	}
	return t, nil
}

// Registerer takes the metrics of the program's parts.
func (t *Telemetry) Registerer() prometheus.Registerer { return t.registry }

// TracerProvider makes tracers; it is nil without tracing.
func (t *Telemetry) TracerProvider() trace.TracerProvider {
	if t.spans == nil {
		return nil
	}
	return t.spans
}

// Instrument lets the clients and workers that are made of opts count what they do, where metrics are served, and carry traces, where
// there is tracing.
func (t *Telemetry) Instrument(opts client.Options) client.Options {
	if t.meters != nil {
		opts.MetricsHandler = t.temporalMetrics()
	}
	if t.tracing != nil {
		opts.Interceptors = append(append([]interceptor.ClientInterceptor{}, t.tracing), opts.Interceptors...)
	}
	return opts
}

// Close serves metrics no more, and sends the spans that are left, for which it takes at most closeGrace.
func (t *Telemetry) Close() error {
	var err error
	switch {
	case t.server != nil:
		err = t.server.Close() // nobody misses half a scrape
	case t.listener != nil:
		err = t.listener.Close()
	}
	t.served.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	if t.meters != nil {
		err = errors.Join(err, t.meters.Shutdown(ctx))
	}
	if t.spans != nil {
		if err := t.spans.Shutdown(ctx); err != nil {
			t.log.Warn("the last spans were not sent", "error", err)
		}
	}
	return err
}
