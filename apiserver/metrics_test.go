package apiserver

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/rolecall-dev/rolecall/sdk"
)

// counted are the series of a registry as name{label=value} count; of a histogram, how many it has seen.
func counted(t *testing.T, registry *prometheus.Registry) []string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var series []string
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			series = append(series, fmt.Sprintf("%s{%s} %v", strings.TrimPrefix(family.GetName(), "rolecall_"), strings.Join(labels, ","), value(m)))
		}
	}
	return series
}

func value(m *dto.Metric) float64 {
	return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
}

func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	tasks := newMemoryTasks()
	s := newTestServer(t, tasks, io.Discard, func(c *Config) { c.Metrics = registry })
	task := mustCreate(t, s)
	call(s, http.MethodPost, "/v1/tasks", okBody, "Idempotency-Key", "k")
	call(s, http.MethodPost, "/v1/tasks", okBody, "Idempotency-Key", "k")
	call(s, http.MethodGet, "/v1/tasks/"+task.ID, "")
	call(s, http.MethodGet, "/v1/tasks/nobody", "")
	call(s, http.MethodGet, "/somewhere/"+task.ID, "")
	call(s, "INVENTED", "/v1/tasks", "")
	tasks.failure = &sdk.Error{Code: sdk.CodeRateLimited, Message: "too many"}
	call(s, http.MethodGet, "/v1/tasks/"+task.ID, "")
	tasks.failure = sdk.Errorf(sdk.CodeUnavailable, "away")
	call(s, http.MethodGet, "/readyz", "")
	want := []string{
		"events_delivered_total{} 0",
		"events_published_total{} 0",
		"http_rate_limited_total{} 1",
		"http_request_duration_seconds{method=GET,route=/readyz} 1",
		"http_request_duration_seconds{method=GET,route=/v1/tasks/:id} 3",
		"http_request_duration_seconds{method=GET,route=none} 1",
		"http_request_duration_seconds{method=POST,route=/v1/tasks} 3",
		"http_request_duration_seconds{method=other,route=none} 1",
		"http_requests_in_flight{} 0",
		"http_requests_total{method=GET,route=/readyz,status=5xx} 1",
		"http_requests_total{method=GET,route=/v1/tasks/:id,status=2xx} 1",
		"http_requests_total{method=GET,route=/v1/tasks/:id,status=4xx} 2",
		"http_requests_total{method=GET,route=none,status=4xx} 1",
		"http_requests_total{method=POST,route=/v1/tasks,status=2xx} 3",
		"http_requests_total{method=other,route=none,status=4xx} 1",
		"http_waits_open{} 0",
		"streams_cut_total{} 0",
		"streams_open{} 0",
		"tasks_created_total{replayed=false} 2",
		"tasks_created_total{replayed=true} 1",
	}
	got := counted(t, registry)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := New(Config{Addr: "127.0.0.1:0", Metrics: registry}, tasks, nil); err == nil {
		t.Error("two servers count into one registry")
	}
}

func TestOpenWaitsAreCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	tasks := newMemoryTasks()
	s := newTestServer(t, tasks, io.Discard, func(c *Config) { c.Metrics = registry })
	task := mustCreate(t, s)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		call(s, http.MethodGet, "/v1/tasks/"+task.ID+"?waitMs=60000", "")
	}()
	<-tasks.waiting
	got := counted(t, registry)
	for _, want := range []string{"http_waits_open{} 1", "http_requests_in_flight{} 1"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	s.drain()
	<-answered
	if got := counted(t, registry); !slices.Contains(got, "http_waits_open{} 0") {
		t.Errorf("after the wait: %q", got)
	}
}

func TestRequestsAreSpansOfTheirCallersTrace(t *testing.T) {
	t.Parallel()
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	recorder := tracetest.NewSpanRecorder()
	tasks := newMemoryTasks()
	var logs bytes.Buffer
	s := newTestServer(t, tasks, &logs, func(c *Config) {
		c.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	})
	task := mustCreate(t, s)
	call(s, http.MethodGet, "/healthz", "")
	tasks.failure = sdk.Errorf(sdk.CodeUnavailable, "away")
	call(s, http.MethodGet, "/v1/tasks/"+task.ID, "", "Traceparent", "00-"+trace+"-"+parent+"-01")
	ended := recorder.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans, want those of the two requests of the API", len(ended))
	}
	if ended[0].Name() != "POST /v1/tasks" || ended[0].Parent().IsValid() || ended[0].Status().Code != codes.Unset {
		t.Errorf("the first: %s of %v, %v", ended[0].Name(), ended[0].Parent(), ended[0].Status())
	}
	last := ended[1]
	if last.Name() != "GET /v1/tasks/:id" || last.SpanContext().TraceID().String() != trace || last.Parent().SpanID().String() != parent || last.Status().Code != codes.Error {
		t.Errorf("the last: %s of %v, %v", last.Name(), last.Parent(), last.Status())
	}
	for _, a := range last.Attributes() {
		if strings.Contains(a.Value.String(), task.ID) {
			t.Errorf("%s names the task", a.Key)
		}
	}
	if !strings.Contains(logs.String(), `"traceId":"`+trace+`"`) {
		t.Errorf("the log does not name the trace: %s", &logs)
	}
}

func TestWithoutTracingNoTraceIsRead(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	s := newTestServer(t, newMemoryTasks(), &logs)
	call(s, http.MethodPost, "/v1/tasks", okBody, "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if strings.Contains(logs.String(), "traceId") || logs.Len() == 0 {
		t.Errorf("the log: %s", &logs)
	}
}
