package main

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestServeShowsItsMetrics: they are there before Temporal is.
func TestServeShowsItsMetrics(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	file := filepath.Join(t.TempDir(), "ready.json")
	cmd := program(ctx, []string{"ROLECALL_ADDR=127.0.0.1:0", "ROLECALL_METRICS_ADDR=127.0.0.1:0", "ROLECALL_DATA_DIR=" + t.TempDir(), nowhere}, "serve", "--ready-file", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := ready(ctx, t, file)
	if status, _ := get(ctx, t, r.APIURL+"/healthz"); status != http.StatusOK {
		t.Errorf("healthz answers %d", status)
	}
	status, body := get(ctx, t, r.MetricsURL)
	for _, want := range []string{`rolecall_http_requests_total{method="GET",route="/healthz",status="2xx"} 1`, "temporal_request_total{", "go_goroutines "} {
		if status != http.StatusOK || !strings.Contains(body, "\n"+want) {
			t.Errorf("%d, no %s in:\n%s", status, want, body)
		}
	}
	if status, _ := get(ctx, t, r.APIURL+"/metrics"); status != http.StatusNotFound {
		t.Errorf("the API's own address answers /metrics with %d", status)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestATakenMetricsAddressThatWasAskedForIsAFault(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for _, args := range [][]string{
		{"serve", "--control"}, {"worker", "--role", "coder", "--agent", "command", "--", "true"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		cmd := program(ctx, []string{"ROLECALL_METRICS_ADDR=" + l.Addr().String(), "ROLECALL_DATA_DIR=" + t.TempDir(), nowhere, noEvents}, args...)
		out, err := cmd.CombinedOutput()
		cancel()
		if err == nil || cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), l.Addr().String()+" is taken") || !strings.Contains(string(out), "ROLECALL_METRICS_ADDR") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}
