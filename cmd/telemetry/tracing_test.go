package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/rolecall-dev/rolecall/workflows"
)

// traced is telemetry whose spans come to hand, each as it ends.
func traced(t *testing.T) (*Telemetry, *tracetest.SpanRecorder) {
	t.Helper()
	shown := begin(t, Options{Config: Config{MetricsAddr: "off"}})
	if err := shown.startTracing(t.Context(), tracetest.NewNoopExporter(), "test"); err != nil {
		t.Fatal(err)
	}
	recorder := tracetest.NewSpanRecorder()
	shown.spans.RegisterSpanProcessor(recorder)
	return shown, recorder
}

// TestRunsOfAProcessWithoutTracingReplayInOneWith replays the kept histories, which were recorded without tracing.
func TestRunsOfAProcessWithoutTracingReplayInOneWith(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "workflows", "testdata", "histories", "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no kept histories: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			shown, recorder := traced(t)
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			h, err := client.HistoryFromJSON(f, client.HistoryJSONOptions{})
			if err != nil {
				t.Fatal(err)
			}
			replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
				DataConverter: workflows.DataConverter(), Interceptors: []interceptor.WorkerInterceptor{shown.tracing},
			})
			if err != nil {
				t.Fatal(err)
			}
			workflows.Register(replayer)
			if err := replayer.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), h); err != nil {
				t.Error(err)
			}
			span := "RunWorkflow:" + h.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowType().GetName()
			if ended := recorder.Ended(); len(ended) == 0 || ended[len(ended)-1].Name() != span {
				t.Errorf("the run was not traced: %d spans", len(ended))
			}
		})
	}
}

func TestSpansTellAnErrorsKindAlone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want sdktrace.Status
		kind string
	}{
		"none":                 {nil, sdktrace.Status{}, ""},
		"answered elsewhere":   {activity.ErrResultPending, sdktrace.Status{}, ""},
		"a failure":            {temporal.NewApplicationError("secret", "agent_failed"), sdktrace.Status{Code: codes.Error}, "agent_failed"},
		"was there already":    {serviceerror.NewWorkflowExecutionAlreadyStarted("secret", "", ""), sdktrace.Status{}, ""},
		"cancelled":            {temporal.NewCanceledError("secret"), sdktrace.Status{}, "cancelled"},
		"cancelled, wrapped":   {fmt.Errorf("secret: %w", temporal.NewCanceledError()), sdktrace.Status{}, "cancelled"},
		"its caller left":      {fmt.Errorf("secret: %w", context.Canceled), sdktrace.Status{}, "cancelled"},
		"anything else at all": {errors.New("secret"), sdktrace.Status{Code: codes.Error}, "*errors.errorString"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown, recorder := traced(t)
			span := startSpan(t.Context(), shown.spans.Tracer("test"), "s")
			span.RecordError(tc.err) // as Temporal's interceptor does
			if tc.err != nil {
				span.SetStatus(codes.Error, tc.err.Error())
			}
			span.End()
			ended := recorder.Ended()[0]
			if diff := cmp.Diff(tc.want, ended.Status()); diff != "" {
				t.Error(diff)
			}
			var attributes []attribute.KeyValue
			if tc.kind != "" {
				attributes = append(attributes, attribute.String("error.type", tc.kind))
			}
			if len(ended.Events()) != 0 || len(ended.Attributes()) != len(attributes) || len(attributes) > 0 && ended.Attributes()[0] != attributes[0] {
				t.Errorf("events %v, attributes %v", ended.Events(), ended.Attributes())
			}
		})
	}
}

func TestWhereSpansGo(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Config{
		"http://127.0.0.1:4318/v1/traces": {CollectorAt: "http://127.0.0.1:4318"},
		"https://c.example/in/v1/traces":  {CollectorAt: "https://c.example/in/"},
		"http://c.example/spans":          {TracesTo: "http://c.example/spans", CollectorAt: "http://127.0.0.1:4318"},
		"http://c.example/":               {TracesTo: "http://c.example"},
	} {
		if got, err := c.tracesURL(); got != want || err != nil {
			t.Errorf("%+v: %s (%v), want %s", c, got, err, want)
		}
	}
}
