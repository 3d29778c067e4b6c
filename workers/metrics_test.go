package workers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/sdk"
)

// outcomes are how often each outcome was counted for a role, and how many attempts were timed.
func outcomes(t *testing.T, registry *prometheus.Registry) (count map[string]float64, timed uint64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	count = map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			switch family.GetName() {
			case "rolecall_worker_attempts_total":
				count[m.GetLabel()[1].GetValue()+" "+m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			case "rolecall_worker_attempt_duration_seconds":
				timed += m.GetHistogram().GetSampleCount()
			case "rolecall_worker_heartbeats_failed_total":
				count["missed"] = m.GetCounter().GetValue()
			case "rolecall_worker_slots", "rolecall_worker_slots_used":
				count[family.GetName()] = m.GetGauge().GetValue()
			}
		}
	}
	return count, timed
}

func TestAttemptsAreCountedByTheirOutcome(t *testing.T) {
	t.Parallel()
	for want, tc := range map[string]struct {
		beat   error // what its heartbeats are answered with
		result *sdk.Result
		err    error
	}{
		"coder completed":      {result: &sdk.Result{}},
		"coder failed":         {err: errors.New("no luck")},
		"coder input_required": {err: &sdk.InputRequired{Prompt: "which?"}},
		"coder cancelled":      {beat: temporal.NewCanceledError(), err: errors.New("stopped")},
		"coder interrupted":    {beat: activity.ErrActivityPaused, err: errors.New("stopped")},
		"coder lost":           {beat: serviceerror.NewNotFound("gone"), err: errors.New("stopped")},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				registry := prometheus.NewRegistry()
				w := bench(t, &fakeTemporal{beat: tc.beat}, 3, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) { return tc.result, tc.err })
				if err := w.metrics.register(registry, w.slots); err != nil {
					t.Fatal(err)
				}
				_, done := begin(w, sdk.Assignment{})
				<-done
				count, timed := outcomes(t, registry)
				if count[want] != 1 || timed != 1 || count["rolecall_worker_slots"] != 3 || count["rolecall_worker_slots_used"] != 0 {
					t.Errorf("counted %v, timed %d; want one %s", count, timed, want)
				}
			})
		})
	}
}

func TestUsedSlotsAndMissedHeartbeatsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry, f, busy, finish := prometheus.NewRegistry(), &fakeTemporal{}, make(chan struct{}), make(chan struct{})
		w := bench(t, f, 2, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			close(busy)
			<-finish
			return &sdk.Result{}, nil
		})
		if err := w.metrics.register(registry, w.slots); err != nil {
			t.Fatal(err)
		}
		_, done := begin(w, sdk.Assignment{})
		<-busy
		f.set(func(f *fakeTemporal) { f.away = true })
		pass(2*beatEvery + beatEvery/2)
		f.set(func(f *fakeTemporal) { f.away = false })
		if count, _ := outcomes(t, registry); count["rolecall_worker_slots_used"] != 1 || count["missed"] != 2 {
			t.Errorf("counted %v, want one slot and two missed heartbeats", count)
		}
		close(finish)
		<-done
	})
}

// TestTheHandlersContextIsPartOfTheAttemptsTrace also after the activity's own context has ended.
func TestTheHandlersContextIsPartOfTheAttemptsTrace(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test")
	ctx, span := tracer.Start(t.Context(), "RunActivity:ExecuteTask")
	ctx, end := context.WithCancel(ctx)
	w := bench(t, &fakeTemporal{}, 1, nil)
	a := w.newAttempt(ctx, activity.Info{TaskQueue: "default.coder"})
	end()
	if got := trace.SpanContextFromContext(a.ctx); !got.Equal(span.SpanContext()) || a.ctx.Err() != nil {
		t.Errorf("the handler's context: span %v, error %v", got, a.ctx.Err())
	}
	a.outcome, a.code = outcomeFailed, "agent_failed"
	w.metrics.ended(a, a.lease.sent)
	span.End()
	told := map[string]string{}
	for _, attribute := range recorder.Ended()[0].Attributes() {
		told[string(attribute.Key)] = attribute.Value.AsString()
	}
	if told["rolecall.role"] != "coder" || told["rolecall.outcome"] != "failed" || told["error.type"] != "agent_failed" || recorder.Ended()[0].Status().Code != codes.Error {
		t.Errorf("the span says %v, %v", told, recorder.Ended()[0].Status())
	}
}
