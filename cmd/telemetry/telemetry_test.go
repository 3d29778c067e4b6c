package telemetry

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

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
		"switched off":    {CollectorAt: "http://127.0.0.1:1", Disabled: true},
		"no exporter":     {CollectorAt: "http://127.0.0.1:1", TracesExporter: "none"},
		"off and invalid": {TracesTo: "gopher://x", Protocol: "grpc", Disabled: true},
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
