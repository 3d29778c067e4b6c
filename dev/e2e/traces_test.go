package e2e_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/proto"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// collector is an OpenTelemetry collector: it takes spans as OTLP over HTTP and keeps them.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []received
}

// received is a span and the name of the service that sent it.
type received struct {
	*tracepb.Span
	service string
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) take(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	var batch collectorpb.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(raw, &batch) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, from := range batch.GetResourceSpans() {
		service := ""
		for _, a := range from.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range from.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.spans = append(c.spans, received{span, service})
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// trace is a trace's spans by name.
func (c *collector) trace(id string) map[string]received {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string]received{}
	for _, span := range c.spans {
		if hex.EncodeToString(span.GetTraceId()) == id {
			found[span.GetName()] = span
		}
	}
	return found
}

// traceparent is a transport that makes every request part of a caller's trace.
type traceparent string

func (p traceparent) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Traceparent", string(p))
	return http.DefaultTransport.RoundTrip(r)
}

// TestOneTraceFromTheRequestToTheAgent follows a caller's trace through the API, the run and the attempt to the program's environment.
func TestOneTraceFromTheRequestToTheAgent(t *testing.T) {
	t.Parallel()
	const trace, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	c := newCollector(t)
	s := newScene(t, dev.ForTest(t, dev.Options{Env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_BSP_SCHEDULE_DELAY=50"}}))
	s.worker("traced", dev.Worker{Command: []string{"sh", "-c", `printf '{"result":{"output":"%s"}}\n' "$TRACEPARENT"`}})
	client, err := sdk.NewClient(sdk.Config{
		URL: s.stack.URL(), ProjectID: s.project, HTTPClient: &http.Client{Transport: traceparent("00-" + trace + "-" + caller + "-01")},
	})
	s.do(err)
	created, err := client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: t.Name()})
	s.do(err)
	task := s.ended(created.ID)

	// Each span of the walk, the one it is a child of, and who made it.
	walk := []struct{ name, parent, service string }{
		{"POST /v1/tasks", "", "rolecall-serve"},
		{"StartWorkflow:Task", "POST /v1/tasks", "rolecall-serve"},
		{"RunWorkflow:Task", "StartWorkflow:Task", "rolecall-serve"},
		{"StartActivity:ExecuteTask", "RunWorkflow:Task", "rolecall-serve"},
		{"RunActivity:ExecuteTask", "StartActivity:ExecuteTask", "rolecall-worker"},
	}
	var spans map[string]received
	s.eventually("the spans of the walk", patience, func() error {
		spans = c.trace(trace)
		for _, step := range walk {
			if spans[step.name].Span == nil {
				return fmt.Errorf("no span %q among %d", step.name, len(spans))
			}
		}
		return nil
	})
	for _, step := range walk {
		parent := caller
		if step.parent != "" {
			parent = hex.EncodeToString(spans[step.parent].GetSpanId())
		}
		span := spans[step.name]
		if got := hex.EncodeToString(span.GetParentSpanId()); got != parent || span.service != step.service {
			t.Errorf("%s of %s is a child of %s, want one of %s of %q", step.name, span.service, got, parent, step.parent)
		}
		if span.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR || len(span.GetEvents()) != 0 {
			t.Errorf("%s tells of a failure: %v %v", step.name, span.GetStatus(), span.GetEvents())
		}
	}
	attempt := spans["RunActivity:ExecuteTask"]
	if want := `"00-` + trace + "-" + hex.EncodeToString(attempt.GetSpanId()) + `-01"`; task.Status != sdk.StatusCompleted || string(task.Result.Output) != want {
		t.Errorf("the task is %s, its agent's TRACEPARENT %s, want %s", task.Status, task.Result.Output, want)
	}
	told := map[string]string{}
	for _, a := range attempt.GetAttributes() {
		told[a.GetKey()] = a.GetValue().GetStringValue()
	}
	if told["rolecall.role"] != "coder" || told["rolecall.outcome"] != "completed" || attempt.GetEndTimeUnixNano() <= attempt.GetStartTimeUnixNano() {
		t.Errorf("the attempt's span says %v", told)
	}
	s.replaysUntraced(created.ID)
	s.noFaults(c)
}

// inTrace is a client whose requests are of the n-th of other traces, and that trace's id.
func (s *scene) inTrace(n int) (client *sdk.Client, trace string) {
	s.t.Helper()
	trace = fmt.Sprintf("%032x", n)
	client, err := sdk.NewClient(sdk.Config{
		URL: s.stack.URL(), ProjectID: s.project, HTTPClient: &http.Client{Transport: traceparent("00-" + trace + "-b7ad6b7169203331-01")},
	})
	s.do(err)
	return client, trace
}

// noFaults replays a creation, cancels a task and answers a question: none of it is a failed span, and what is sent to a run is a span
// of its request's trace alone.
func (s *scene) noFaults(c *collector) {
	s.t.Helper()
	s.worker("asking", dev.Worker{Roles: []sdk.Role{sdk.RoleDebugger}})
	first, created := s.inTrace(1)
	again, replayed := s.inTrace(2)
	later, cancelled := s.inTrace(3)
	person, answered := s.inTrace(4)
	request, key := sdk.TaskRequest{Type: sdk.TypeCodeTest, Title: "nobody takes it"}, sdk.IdempotencyKey("k")
	task, err := first.CreateTask(s.t.Context(), request, key)
	s.do(err)
	_, err = again.CreateTask(s.t.Context(), request, key)
	s.do(err)
	_, err = later.CancelTask(s.t.Context(), task.ID, "")
	s.do(err)
	s.ended(task.ID)
	asks := s.delegate(script{"0.1": {"ask:Which port?"}, "*": {"result:1"}}, func(r *sdk.TaskRequest) { r.Role = sdk.RoleDebugger })
	s.is("the question", asks.ID, func(t *sdk.Task) bool { return t.Status == sdk.StatusInputRequired })
	_, err = person.ProvideInput(s.t.Context(), asks.ID, "input-0-1", 80)
	s.do(err)
	s.ended(asks.ID)
	_, err = person.GetTask(s.t.Context(), asks.ID) // whose span comes after those that the answer could have
	s.do(err)
	const run, start = "RunWorkflow:Task", "StartWorkflow:Task"
	// The task is cancelled before its attempt starts or after it, and what it tells is published in one go, or more, or later.
	beside := func(name string) bool {
		return name == "StartActivity:ExecuteTask" || strings.Contains(name, ":PublishEvents")
	}
	for trace, want := range map[string][]string{
		created:  {"POST /v1/tasks", run, start},
		replayed: {"POST /v1/tasks", start}, cancelled: {"POST /v1/tasks/:id/cancel"}, answered: {"GET /v1/tasks/:id", "POST /v1/tasks/:id/input"},
	} {
		var spans map[string]received
		s.eventually("the spans of a request", patience, func() error {
			spans = c.trace(trace)
			for _, name := range want {
				if spans[name].Span == nil {
					return fmt.Errorf("no span %q among %d", name, len(spans))
				}
			}
			return nil
		})
		names := slices.Sorted(maps.Keys(spans))
		if got := slices.DeleteFunc(names, beside); !slices.Equal(got, want) {
			s.t.Errorf("the spans are %q, want %q", got, want)
		}
		for name, span := range spans {
			if !beside(name) && span.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_UNSET && span.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_OK {
				s.t.Errorf("%s tells of a failure: %v %v", name, span.GetStatus(), span.GetAttributes())
			}
		}
	}
}

// replaysUntraced replays the run of a task, whose history carries a trace, as a control worker without tracing does.
func (s *scene) replaysUntraced(id string) {
	s.t.Helper()
	h, err := historyOf(s.t.Context(), s.stack.Temporal(), workflows.TaskWorkflowID(s.project, id))
	s.do(err)
	if !strings.Contains(h.String(), "_tracer-data") {
		s.t.Error("the history carries no trace")
	}
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DataConverter: workflows.DataConverter()})
	s.do(err)
	workflows.Register(replayer)
	s.do(replayer.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), h))
}
