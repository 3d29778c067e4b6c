package telemetry

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/temporal"
)

// newExporter sends spans to the collector. Headers, certificates, time limits and the like are read by OpenTelemetry's own SDK.
func newExporter(ctx context.Context, c Config) (sdktrace.SpanExporter, error) {
	to, err := c.tracesURL()
	if err != nil {
		return nil, err
	}
	return otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to))
}

// startTracing makes the tracer and what carries traces through Temporal. Sampler and limits are read by OpenTelemetry's own SDK.
func (t *Telemetry) startTracing(ctx context.Context, exporter sdktrace.SpanExporter, service string) error {
	res, err := resource.New(ctx,
		resource.WithTelemetrySDK(), resource.WithAttributes(semconv.ServiceName(service)), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return errors.Join(err, exporter.Shutdown(ctx))
	}
	// The SDK has one place in a process for faults of sending spans.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { t.log.Warn("tracing", "error", err) }))
	t.spans = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res))
	t.tracing, err = opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer:            t.spans.Tracer("github.com/rolecall-dev/rolecall"),
		TextMapPropagator: propagation.TraceContext{},
		SpanStarter:       startSpan,
		DisableBaggage:    true,
		// Signals, queries and updates are how a worker and the API keep up with a task; in the run each would be of another trace.
		DisableSignalTracing: true, DisableQueryTracing: true, DisableUpdateTracing: true,
		// What another tracing library left in a run is no reason to stop it.
		AllowInvalidParentSpans: true,
	})
	return err
}

func startSpan(ctx context.Context, tracer trace.Tracer, name string, opts ...trace.SpanStartOption) trace.Span {
	_, span := tracer.Start(ctx, name, opts...)
	return &temporalSpan{Span: span}
}

// cancelled is the error.type of what was cancelled.
const cancelled = "cancelled"

// temporalSpan is a span that Temporal's interceptor ends. It tells of an error its kind alone: the text may hold what an agent said.
// It is of one goroutine.
type temporalSpan struct {
	trace.Span
	harmless bool // the error that was recorded is no fault
}

// RecordError notes the error's kind. An attempt that answers through the client returns an error that is none, and sets its own
// status; a task that was there already is answered to the caller; a cancellation was asked for.
func (s *temporalSpan) RecordError(err error, _ ...trace.EventOption) {
	if err == nil {
		return
	}
	_, there := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err)
	if s.harmless = there || errors.Is(err, activity.ErrResultPending); s.harmless {
		return
	}
	kind := fmt.Sprintf("%T", err)
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		kind = app.Type()
	}
	if temporal.IsCanceledError(err) || errors.Is(err, context.Canceled) {
		kind, s.harmless = cancelled, true
	}
	s.Span.SetAttributes(attribute.String("error.type", kind))
}

// SetStatus sets the status without its text.
func (s *temporalSpan) SetStatus(code codes.Code, _ string) {
	if code != codes.Error || !s.harmless {
		s.Span.SetStatus(code, "")
	}
}
