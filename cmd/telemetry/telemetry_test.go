package telemetry

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"go.temporal.io/sdk/client"
)

// begin starts telemetry for the time of a test.
func begin(t *testing.T, o Options) *Telemetry {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	shown, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shown.Close(); err != nil {
			t.Error(err)
		}
	})
	return shown
}

// taken is an address that somebody listens on.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func TestMetricsAreServedUntilTheEnd(t *testing.T) {
	t.Parallel()
	shown, err := Start(t.Context(), Options{Config: Config{MetricsAddr: "127.0.0.1:0"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	url := shown.MetricsURL()
	status, body := fetch(t, url)
	for _, want := range []string{"\ngo_goroutines ", "\nprocess_open_fds "} {
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%d, no %q in:\n%s", status, want, body)
		}
	}
	if status, _ := fetch(t, strings.TrimSuffix(url, "metrics")); status != http.StatusNotFound {
		t.Errorf("another path answers %d", status)
	}
	if err := shown.Close(); err != nil {
		t.Error(err)
	}
	if conn, err := net.DialTimeout("tcp", shown.listener.Addr().String(), time.Second); err == nil {
		_ = conn.Close()
		t.Error("it still listens")
	}
}

func TestWhereMetricsAre(t *testing.T) {
	t.Parallel()
	used := taken(t)
	for name, tc := range map[string]struct {
		addr, fallback string
		served         bool
		says           string // in the log
		fails          string
	}{
		"told nothing":                  {"", "127.0.0.1:0", true, "", ""},
		"told nothing, and no default":  {"", "", false, "", ""},
		"told nothing, default taken":   {"", used, false, "ROLECALL_METRICS_ADDR", ""},
		"off":                           {"off", "127.0.0.1:0", false, "", ""},
		"an address":                    {"127.0.0.1:0", used, true, "", ""},
		"an address that is taken":      {used, "127.0.0.1:0", false, "", used + " is taken by another program; set ROLECALL_METRICS_ADDR"},
		"an address that is elsewhere":  {"192.0.2.1:1", "", false, "", "cannot listen on 192.0.2.1:1 (ROLECALL_METRICS_ADDR)"},
		"no address":                    {"3010", "", false, "", "is not host:port"},
		"an address without its number": {"localhost:", "", false, "", "is not host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			shown, err := Start(t.Context(), Options{
				Config: Config{MetricsAddr: tc.addr}, FallbackAddr: tc.fallback, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
			})
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("error %v, want %q", err, tc.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = shown.Close() }()
			if served := shown.MetricsURL() != ""; served != tc.served {
				t.Errorf("served: %t", served)
			}
			if got := log.String(); (got == "") != (tc.says == "") || !strings.Contains(got, tc.says) {
				t.Errorf("the log says %q", got)
			}
		})
	}
}

func TestWithoutACollectorNothingIsTraced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"nothing set":     {},
		"switched off":    {CollectorAt: "http://127.0.0.1:1", Disabled: "TRUE"},
		"no exporter":     {CollectorAt: "http://127.0.0.1:1", TracesExporter: "none"},
		"off and invalid": {TracesTo: "gopher://x", Protocol: "grpc", Disabled: "true", Headers: "no"},
	} {
		c.MetricsAddr = "off"
		shown := begin(t, Options{Config: c})
		opts := shown.Instrument(client.Options{})
		if len(opts.Interceptors) != 0 || opts.MetricsHandler != nil {
			t.Errorf("%s: the client is instrumented", name)
		}
		if shown.TracerProvider() != nil {
			t.Errorf("%s: there is a tracer", name)
		}
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	err := Config{MetricsAddr: "x", TracesTo: "127.0.0.1:4317", CollectorAt: "grpc://a", Protocol: "grpc", TracesExporter: "zipkin"}.Validate()
	for _, want := range []string{
		"ROLECALL_METRICS_ADDR", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must", "OTEL_EXPORTER_OTLP_ENDPOINT must", `not "grpc"`, `OTEL_TRACES_EXPORTER must be otlp or none, not "zipkin"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	ok := Config{MetricsAddr: "0.0.0.0:3010", CollectorAt: "https://collector.example", TracesProtocol: "http/protobuf", Protocol: "grpc", TracesExporter: "otlp"}
	if err := ok.Validate(); err != nil {
		t.Error(err)
	}
}

// TestOnlyTrueDisables: what the standard does not know changes nothing.
func TestOnlyTrueDisables(t *testing.T) {
	t.Parallel()
	for value, traces := range map[string]bool{"": true, "false": true, "yes": true, "1": true, "on": true, "true": false, "True": false} {
		if c := (Config{CollectorAt: "http://127.0.0.1:1", Disabled: value}); c.traces() != traces || c.Validate() != nil {
			t.Errorf("%q: %t, %v", value, c.traces(), c.Validate())
		}
	}
}

// TestHeadersAreNotRepeated: a token that was written in the wrong form is refused and shown nowhere.
func TestHeadersAreNotRepeated(t *testing.T) {
	t.Parallel()
	for value, good := range map[string]bool{
		"": true, "Authorization=Bearer%20s3cr3t": true, " a = b , c=d=e": true, "a=": true, "Authorization=Bearer s3cr3t": true,
		"Authorization Bearer s3cr3t": false, "Authorization Bearer=s3cr3t": false, "a=b,s3cr3t": false, "a=s3cr3t%zz": false, "=s3cr3t": false,
		"a=s3cr3t%0A": true, "a=s3cr3t%0Ab": false,
	} {
		for name, c := range map[string]Config{
			"OTEL_EXPORTER_OTLP_HEADERS": {Headers: value}, "OTEL_EXPORTER_OTLP_TRACES_HEADERS": {TracesHeaders: value},
		} {
			c.CollectorAt = "http://127.0.0.1:1"
			err := c.Validate()
			if (err == nil) != good || !good && (!strings.Contains(err.Error(), name+" must be") || strings.Contains(err.Error(), "s3cr3t")) {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
}

func TestFaultsOfOpenTelemetryAreToldWithoutValues(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	l := logr.New(faults{slog.New(slog.NewTextHandler(&log, nil))}).WithName("s3cr3t").WithValues("s3cr3t", "s3cr3t")
	l.Error(errors.New("s3cr3t"), "parse headers", "input", "s3cr3t")
	l.Info("s3cr3t")
	if got := log.String(); !strings.Contains(got, `failed="parse headers"`) || strings.Contains(got, "s3cr3t") {
		t.Errorf("the log says %q", got)
	}
}

// TestACollectorThatDoesNotAnswerHoldsNobodyUp ends a program while a span is on its way.
func TestACollectorThatDoesNotAnswerHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(func() {
		close(over)
		silent.Close()
	})
	var log bytes.Buffer
	shown, err := Start(t.Context(), Options{
		Config: Config{MetricsAddr: "off", TracesTo: silent.URL}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, span := shown.TracerProvider().Tracer("test").Start(t.Context(), "s")
	span.End()
	began := time.Now()
	if err := shown.Close(); err != nil || !strings.Contains(log.String(), "the last spans were not sent") {
		t.Errorf("%v; the log says %q", err, log.String())
	}
	if took := time.Since(began); took > closeGrace+3*time.Second {
		t.Errorf("the end took %s", took)
	}
}

// TestTemporalMetricsNameNoAgent feeds what Temporal's SDK says of a queue to the metrics, and tags that it does not have today.
func TestTemporalMetricsNameNoAgent(t *testing.T) {
	t.Parallel()
	shown := begin(t, Options{
		Config: Config{MetricsAddr: "127.0.0.1:0"},
		Queues: map[string]string{"shop.coder": "coder", "shop.coder.agent-7": "coder.agent"},
	})
	h := shown.Instrument(client.Options{}).MetricsHandler.WithTags(map[string]string{"namespace": "default", "client_name": "temporal_go"})
	for _, queue := range []string{"shop.coder", "shop.coder.agent-7", "host:1234-uuid", "none"} {
		h.WithTags(map[string]string{"task_queue": queue, "workflow_id": "task:shop:t1", "worker_identity": "agent-7"}).Counter("temporal_worker_start").Inc(1)
	}
	h.WithTags(map[string]string{"operation": "Poll"}).Timer("temporal_request_latency").Record(30 * time.Millisecond)
	_, body := fetch(t, shown.MetricsURL())
	for _, want := range []string{
		`temporal_worker_start_total{namespace="default",task_queue="coder"} 1`,
		`temporal_worker_start_total{namespace="default",task_queue="coder.agent"} 1`,
		`temporal_worker_start_total{namespace="default",task_queue="other"} 1`,
		`temporal_worker_start_total{namespace="default",task_queue="none"} 1`,
		`temporal_request_latency_seconds_bucket{namespace="default",operation="Poll",le="0.025"} 0`,
		`temporal_request_latency_seconds_bucket{namespace="default",operation="Poll",le="0.05"} 1`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no %s in:\n%s", want, body)
		}
	}
	for _, never := range []string{"agent-7", "shop", "t1", "uuid", "target_info", "otel_scope"} {
		if strings.Contains(body, never) {
			t.Errorf("the metrics name %s", never)
		}
	}
}
