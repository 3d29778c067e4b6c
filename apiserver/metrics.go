package apiserver

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// metrics counts what the server does. No label has more values than the API has routes.
type metrics struct {
	requests *prometheus.CounterVec   // by route, method and class of status
	duration *prometheus.HistogramVec // by route and method
	inFlight prometheus.Gauge
	limited  prometheus.Counter
	created  *prometheus.CounterVec // by whether an earlier request had created the task

	published prometheus.Counter
	delivered prometheus.Counter
	cut       prometheus.Counter
}

// durationBuckets are in seconds: from a read's milliseconds to the longest wait.
func durationBuckets() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
}

// newMetrics makes the metrics and registers them; registry may be nil. waits tells how many requests wait, streams
// how many streams are open.
func newMetrics(registry prometheus.Registerer, waits, streams func() float64) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rolecall_http_requests_total", Help: "HTTP requests answered, by route template, method and class of status.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rolecall_http_request_duration_seconds", Help: "Time from a request's headers to its answer; waits (waitMs) among them, streams not.", Buckets: durationBuckets(),
		}, []string{"route", "method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "rolecall_http_requests_in_flight", Help: "HTTP requests being answered, those that wait among them.",
		}),
		limited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rolecall_http_rate_limited_total", Help: "HTTP requests refused with 429: a rate limit, too many waits, or too many pages of lists.",
		}),
		created: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rolecall_tasks_created_total", Help: "Tasks answered to a creating request; replayed is true where the idempotency key's task was there already.",
		}, []string{"replayed"}),
	}
	m.published = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "rolecall_events_published_total", Help: "Events that callers published and the log keeps; those it had already are not counted.",
	})
	m.delivered = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "rolecall_events_delivered_total", Help: "Events written to streams, one for each stream.",
	})
	m.cut = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "rolecall_streams_cut_total", Help: "Streams that the server ended because they were read too slowly.",
	})
	if registry == nil {
		return m, nil
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rolecall_http_waits_open", Help: "HTTP requests that wait for a task's end.",
	}, waits)
	following := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rolecall_streams_open", Help: "Streams of events that are open.",
	}, streams)
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.inFlight, m.limited, m.created, m.published, m.delivered, m.cut, open, following} {
		errs = append(errs, registry.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("the API server's metrics: %w", err)
	}
	return m, nil
}

// tracerOf is the server's tracer; provider may be nil.
func tracerOf(provider trace.TracerProvider) trace.Tracer {
	if provider == nil {
		provider = noop.NewTracerProvider()
	}
	return provider.Tracer("github.com/rolecall-dev/rolecall/apiserver")
}

// observe counts the request, and makes it a span of its caller's trace (traceparent) when it is one of the API's own.
func (s *Server) observe(c *gin.Context) {
	began := time.Now()
	route, method := c.FullPath(), knownMethod(c.Request.Method)
	if route == "" {
		route = "none"
	}
	s.metrics.inFlight.Inc()
	ctx := c.Request.Context()
	var span trace.Span = noop.Span{}
	if s.cfg.TracerProvider != nil && strings.HasPrefix(route, "/v1/") {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(c.Request.Header))
		ctx, span = s.tracer.Start(ctx, method+" "+route, trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(semconv.HTTPRequestMethodKey.String(method), semconv.HTTPRoute(route)))
		c.Request = c.Request.WithContext(ctx)
	}
	defer func() {
		status := c.Writer.Status()
		if span.SetAttributes(semconv.HTTPResponseStatusCode(status)); status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
		s.metrics.inFlight.Dec()
		s.metrics.requests.WithLabelValues(route, method, strconv.Itoa(status/100)+"xx").Inc()
		if !isStream(c) {
			s.metrics.duration.WithLabelValues(route, method).Observe(time.Since(began).Seconds())
		}
		if status == http.StatusTooManyRequests {
			s.metrics.limited.Inc()
		}
	}()
	c.Next()
}

// creation counts a task that a request is answered with.
func (m *metrics) creation(replayed bool) {
	m.created.WithLabelValues(strconv.FormatBool(replayed)).Inc()
}
