package workers

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// metrics counts what a role worker does. The roles it labels by are those it is configured for.
type metrics struct {
	roles    map[string]string        // by task queue
	attempts *prometheus.CounterVec   // by role and outcome
	duration *prometheus.HistogramVec // by role
	missed   prometheus.Counter       // heartbeats
	slots    prometheus.Gauge
}

func newMetrics(cfg Config) *metrics {
	m := &metrics{
		roles: map[string]string{},
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rolecall_worker_attempts_total", Help: "Attempts that ended here, by role and outcome.",
		}, []string{"role", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rolecall_worker_attempt_duration_seconds", Help: "Time from an attempt's arrival to its answer, by role.", Buckets: attemptBuckets(),
		}, []string{"role"}),
		missed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rolecall_worker_heartbeats_failed_total", Help: "Heartbeats that Temporal did not acknowledge.",
		}),
		slots: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "rolecall_worker_slots", Help: "Attempts that may run at once.",
		}),
	}
	for _, role := range cfg.Roles {
		m.roles[workflows.RoleQueue(cfg.Project, role)] = string(role)
		m.roles[workflows.AgentQueue(cfg.Project, role, cfg.AgentID)] = string(role)
	}
	m.slots.Set(float64(cfg.Slots))
	return m
}

// attemptBuckets are in seconds: from a program that says one thing to an agent at work for a day.
func attemptBuckets() []float64 {
	return []float64{0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400}
}

// register shows the metrics in registry, which may be nil.
func (m *metrics) register(registry prometheus.Registerer, s *slots) error {
	if registry == nil {
		return nil
	}
	used := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rolecall_worker_slots_used", Help: "Attempts that run.",
	}, func() float64 { return float64(s.used()) })
	var errs []error
	for _, c := range []prometheus.Collector{m.attempts, m.duration, m.missed, m.slots, used} {
		errs = append(errs, registry.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("the role worker's metrics: %w", err)
	}
	return nil
}

// The outcomes of an attempt as this worker saw it: those of a task's chain, as far as a worker can tell.
const (
	outcomeCompleted   = "completed"
	outcomeFailed      = "failed"
	outcomeAsked       = "input_required"
	outcomeCancelled   = "cancelled"
	outcomeInterrupted = "interrupted"
	outcomeLost        = "lost" // nobody wanted the answer any more, or it could not be delivered
)

// outcomeOf is what an answer says of its attempt, and with which code.
func outcomeOf(report activities.AttemptReport, answer error) (name, code string) {
	app, failed := errors.AsType[*temporal.ApplicationError](answer)
	switch {
	case answer == nil && report.InputRequired != nil:
		return outcomeAsked, ""
	case answer == nil:
		return outcomeCompleted, ""
	case temporal.IsCanceledError(answer):
		return outcomeCancelled, ""
	case failed && app.Type() == string(sdk.CodeInterrupted):
		return outcomeInterrupted, ""
	case failed:
		return outcomeFailed, app.Type()
	default:
		return outcomeFailed, ""
	}
}

// ended counts an attempt that arrived at began and is over, and tells its span.
func (m *metrics) ended(a *attempt, began time.Time) {
	role := m.roles[a.ref.queue]
	m.attempts.WithLabelValues(role, a.outcome).Inc()
	m.duration.WithLabelValues(role).Observe(time.Since(began).Seconds())
	span := trace.SpanFromContext(a.ctx)
	span.SetAttributes(attribute.String("rolecall.role", role), attribute.String("rolecall.outcome", a.outcome))
	if a.code != "" {
		span.SetAttributes(attribute.String("error.type", a.code))
	}
	if a.outcome == outcomeFailed || a.outcome == outcomeLost {
		span.SetStatus(codes.Error, "")
	}
}
