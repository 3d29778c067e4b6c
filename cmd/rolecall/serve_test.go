package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nowhere is an address at which no Temporal is.
const nowhere = "TEMPORAL_ADDRESS=127.0.0.1:1"

// noEvents is an address at which no event log is.
const noEvents = "ROLECALL_NATS_URL=nats://127.0.0.1:1"

// ready waits for a program's ready file.
func ready(ctx context.Context, t *testing.T, file string) readiness {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		raw, err := os.ReadFile(file)
		if err == nil {
			var r readiness
			if err := json.Unmarshal(raw, &r); err != nil {
				t.Fatalf("the ready file holds %q: %v", raw, err)
			}
			return r
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the ready file did not come")
		}
	}
}

func get(ctx context.Context, t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
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

// started starts rolecall serve on a free port and waits until it listens.
func started(ctx context.Context, t *testing.T, args ...string) (*exec.Cmd, readiness, *bytes.Buffer) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ready.json")
	cmd := program(ctx, []string{"ROLECALL_ADDR=127.0.0.1:0", "ROLECALL_LOG_FORMAT=json", "ROLECALL_DATA_DIR=" + t.TempDir(), nowhere}, append([]string{"serve", "--ready-file", file}, args...)...)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := ready(ctx, t, file)
	if r.PID != cmd.Process.Pid || r.Control {
		t.Errorf("the ready file says %+v of process %d", r, cmd.Process.Pid)
	}
	return cmd, r, &log
}

// TestServeWithoutTemporal: both parts start, say that they are not ready, and stop when told.
func TestServeWithoutTemporal(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd, r, log := started(ctx, t)
	if status, body := get(ctx, t, r.APIURL+"/healthz"); status != http.StatusOK {
		t.Errorf("healthz answers %d %s", status, body)
	}
	if status, body := get(ctx, t, r.APIURL+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"unavailable"`) {
		t.Errorf("readyz answers %d %s", status, body)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, log)
	}
	for line := range strings.Lines(log.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("the log has a line that is not JSON: %s", line)
		}
	}
}

// TestServeWithoutItsEventLog: the API alone starts while the log is away, and stops when told.
func TestServeWithoutItsEventLog(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	file := filepath.Join(t.TempDir(), "ready.json")
	cmd := program(ctx, []string{"ROLECALL_ADDR=127.0.0.1:0", "ROLECALL_DATA_DIR=" + t.TempDir(), nowhere, noEvents}, "serve", "--api", "--ready-file", file)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if status, body := get(ctx, t, ready(ctx, t, file).APIURL+"/healthz"); status != http.StatusOK {
		t.Errorf("healthz answers %d %s", status, body)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, &log)
	}
}

func TestServeNamesATakenPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := program(ctx, []string{"ROLECALL_ADDR=" + l.Addr().String(), nowhere, noEvents}, "serve", "--api").CombinedOutput()
	if err == nil || !strings.Contains(string(out), l.Addr().String()+" is taken") || !strings.Contains(string(out), "ROLECALL_ADDR") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWrongConfigurationIsUsage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env, args []string
		says      []string
	}{
		"log level": {[]string{"ROLECALL_LOG_LEVEL=loud"}, []string{"serve"}, []string{"ROLECALL_LOG_LEVEL"}},
		"wrong values": {
			[]string{"ROLECALL_LOG_LEVEL=loud", "ROLECALL_SHUTDOWN_GRACE=soon"}, []string{"serve"},
			[]string{"\n  ROLECALL_LOG_LEVEL must be debug, info, warn or error, not \"loud\"\n", "\n  ROLECALL_SHUTDOWN_GRACE must be a time"},
		},
		"wrong worker values": {
			[]string{"ROLECALL_SLOTS=many", "ROLECALL_ADDRESSABLE=perhaps", "ROLECALL_AGENT_GRACE=later"},
			[]string{"worker", "--role", "coder", "--agent", "command", "--", "true"},
			[]string{"\n  ROLECALL_SLOTS must be a whole number", "\n  ROLECALL_ADDRESSABLE must be true or false", "\n  ROLECALL_AGENT_GRACE must be a time"},
		},
		"log format":         {[]string{"ROLECALL_LOG_FORMAT=xml"}, []string{"serve"}, []string{"ROLECALL_LOG_FORMAT"}},
		"open address":       {[]string{"ROLECALL_ADDR=0.0.0.0:0"}, []string{"serve", "--api"}, []string{"ROLECALL_ADDR", "loopback"}},
		"no metrics address": {[]string{"ROLECALL_METRICS_ADDR=3010"}, []string{"serve"}, []string{"ROLECALL_METRICS_ADDR", "127.0.0.1:3010"}},
		"no collector": {
			[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
			[]string{"worker", "--role", "coder", "--agent", "command", "--", "true"},
			[]string{"OTEL_EXPORTER_OTLP_ENDPOINT must be an http", "OTEL_EXPORTER_OTLP_PROTOCOL"},
		},
		"an API alone":    {nil, []string{"serve", "--api"}, []string{"ROLECALL_NATS_URL"}},
		"control alone":   {nil, []string{"serve", "--control"}, []string{"ROLECALL_NATS_URL"}},
		"wrong log":       {[]string{"ROLECALL_NATS_REPLICAS=2", "ROLECALL_EVENT_MAX_AGE=1s"}, []string{"serve"}, []string{"ROLECALL_NATS_REPLICAS", "ROLECALL_EVENT_MAX_AGE"}},
		"half a version":  {[]string{"TEMPORAL_WORKER_BUILD_ID=b"}, []string{"serve", "--control"}, []string{"TEMPORAL_WORKER_DEPLOYMENT_NAME"}},
		"no adapter":      {nil, []string{"worker", "--role", "coder"}, []string{"--agent command"}},
		"no such adapter": {nil, []string{"worker", "--role", "coder", "--agent", "nobody"}, []string{"--agent pi"}},
		"no pi":           {[]string{"ROLECALL_PI_PROGRAM=no-such-pi"}, []string{"worker", "--role", "coder", "--agent", "pi"}, []string{"no-such-pi", "not found"}},
		"wrong pi": {
			[]string{"ROLECALL_PI_MODEL=--x"}, []string{"worker", "--role", "coder", "--agent", "pi", "--", "--mode", "rpc"},
			[]string{"ROLECALL_PI_MODEL", "--mode is the adapter's own"},
		},
		"wrong worker values for pi": {
			[]string{"ROLECALL_AGENT_GRACE=later"}, []string{"worker", "--role", "coder", "--agent", "pi"},
			[]string{"ROLECALL_AGENT_GRACE must be a time"},
		},
		"wrong endpoint": {
			[]string{"ROLECALL_OPENAI_BASE_URL=localhost:11434", "OPENAI_API_KEY=of nobody"}, []string{"worker", "--role", "coder", "--agent", "openai"},
			[]string{"ROLECALL_OPENAI_BASE_URL", "OPENAI_API_KEY"},
		},
		"a key for nobody":        {[]string{"OPENAI_API_KEY=sk-1"}, []string{"worker", "--role", "coder", "--agent", "openai"}, []string{"set ROLECALL_OPENAI_BASE_URL"}},
		"wrong models":            {[]string{"ROLECALL_OPENAI_MODELS=big"}, []string{"worker", "--role", "coder", "--agent", "openai"}, []string{"ROLECALL_OPENAI_MODELS must be a list such as name=value"}},
		"a program for a model":   {nil, []string{"worker", "--role", "coder", "--agent", "openai", "--", "true"}, []string{"the adapter openai runs no program"}},
		"a directory for a model": {nil, []string{"worker", "--role", "coder", "--agent", "openai", "--workdir", "."}, []string{"the adapter openai runs no program"}},
		"no program":              {nil, []string{"worker", "--role", "coder", "--agent", "command"}, []string{"after --"}},
		"no such file":            {nil, []string{"worker", "--role", "coder", "--agent", "command", "--", "./no-such-agent"}, []string{"no-such-agent"}},
		"wrong worker": {
			[]string{"PROJECT_ID=a.b"}, []string{"worker", "--role", "Coder", "--slots", "2000", "--agent-id", "a.b", "--agent", "command", "--", "true"},
			[]string{"PROJECT_ID", "Coder", "--slots", "AGENT_ID"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := program(ctx, append(tc.env, nowhere, "ROLECALL_DATA_DIR="+t.TempDir()), tc.args...)
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() != exitUsage {
				t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
			}
			for _, want := range tc.says {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %q in %s", want, out)
				}
			}
		})
	}
}

// TestSecondSignalEndsAtOnce: the first ends the context, the second the process, whatever still runs.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	exited := make(chan int, 2)
	ctx, stop := untilSignal(t.Context(), func(code int) { exited <- code })
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(patience):
		t.Fatal("the first signal did not end the context")
	}
	if len(exited) != 0 {
		t.Error("the first signal ended the process")
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case code := <-exited:
		if code != 143 {
			t.Errorf("exit code %d, want 143", code)
		}
	case <-time.After(patience):
		t.Fatal("the second signal did not end the process")
	}
}
