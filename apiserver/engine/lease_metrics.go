package engine

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// otherRole stands for every role that is not built in: callers may make up as many as they like.
const otherRole = "other"

// leaseMetrics counts what is done for agents over HTTP, by role.
type leaseMetrics struct {
	names    map[sdk.Role]string
	waiting  *prometheus.GaugeVec
	polls    *prometheus.GaugeVec
	given    *prometheus.CounterVec
	returned *prometheus.CounterVec
	lost     *prometheus.CounterVec
	ended    *prometheus.CounterVec // by outcome as well
}

func newLeaseMetrics() *leaseMetrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "rolecall_lease_" + name, Help: help}, []string{"role"})
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rolecall_leases_" + name, Help: help}, append([]string{"role"}, labels...))
	}
	m := &leaseMetrics{
		names:    map[sdk.Role]string{},
		waiting:  gauge("claims_waiting", "Claims of agents over HTTP that wait for a task, by role."),
		polls:    gauge("polls", "Polls of Temporal under way for such claims, by role."),
		given:    counter("given_total", "Attempts handed out to agents over HTTP, by role."),
		returned: counter("returned_total", "Attempts given back at once, because no agent was there any more to have them, by role."),
		lost:     counter("lost_total", "Calls of agents refused with lease_lost, by role: the lease had lapsed, or the attempt had ended otherwise."),
		ended:    counter("ended_total", "Attempts that agents over HTTP ended, by role and outcome.", "outcome"),
	}
	for _, r := range sdk.BuiltinRoles() {
		m.names[r.Role] = string(r.Role)
		m.show(string(r.Role))
	}
	m.show(otherRole)
	return m
}

// show has the series of a role be there before something is counted.
func (m *leaseMetrics) show(role string) {
	m.waiting.WithLabelValues(role)
	m.polls.WithLabelValues(role)
	for _, c := range []*prometheus.CounterVec{m.given, m.returned, m.lost} {
		c.WithLabelValues(role)
	}
	for _, o := range []sdk.Outcome{sdk.OutcomeCompleted, sdk.OutcomeFailed, sdk.OutcomeInterrupted, sdk.OutcomeInputRequired} {
		m.ended.WithLabelValues(role, string(o))
	}
}

func (m *leaseMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.waiting, m.polls, m.given, m.returned, m.lost, m.ended}
}

func (m *leaseMetrics) label(role sdk.Role) string {
	if name, ok := m.names[role]; ok {
		return name
	}
	return otherRole
}

// claiming counts a claim that waits, until done.
func (m *leaseMetrics) claiming(role sdk.Role) (done func()) {
	g := m.waiting.WithLabelValues(m.label(role))
	g.Inc()
	return g.Dec
}

// polling counts a poll, until done.
func (m *leaseMetrics) polling(role sdk.Role) (done func()) {
	g := m.polls.WithLabelValues(m.label(role))
	g.Inc()
	return g.Dec
}

func (m *leaseMetrics) handedOut(role sdk.Role) { m.given.WithLabelValues(m.label(role)).Inc() }
func (m *leaseMetrics) givenBack(role sdk.Role) { m.returned.WithLabelValues(m.label(role)).Inc() }

// answered counts the answer to a call about a lease where it says that the lease is lost.
func (m *leaseMetrics) answered(role sdk.Role, err error) {
	if errors.Is(err, sdk.ErrLeaseLost) {
		m.lost.WithLabelValues(m.label(role)).Inc()
	}
}

// over counts the end of an attempt.
func (m *leaseMetrics) over(role sdk.Role, end activities.Ending) {
	m.ended.WithLabelValues(m.label(role), string(outcomeOf(end))).Inc()
}

func outcomeOf(end activities.Ending) sdk.Outcome {
	switch {
	case end.Failure != nil && end.Failure.Code == sdk.CodeInterrupted:
		return sdk.OutcomeInterrupted
	case end.Failure != nil:
		return sdk.OutcomeFailed
	case end.Result != nil:
		return sdk.OutcomeCompleted
	default:
		return sdk.OutcomeInputRequired
	}
}
