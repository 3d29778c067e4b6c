package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// scrape reads a process's metrics as Prometheus does.
func (s *scene) scrape(p *dev.Process) map[string]*dto.MetricFamily {
	s.t.Helper()
	url, err := p.MetricsURL()
	s.do(err)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	s.do(err)
	resp, err := http.DefaultClient.Do(req)
	s.do(err)
	defer func() { _ = resp.Body.Close() }()
	var parser expfmt.TextParser
	families, err := parser.TextToMetricFamilies(resp.Body)
	s.do(err)
	return families
}

// documentedMetrics are the metrics of docs/reference/metrics.md with their labels, sorted.
func documentedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile("`([a-z_]+)`")
	found := map[string][]string{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.HasPrefix(line, "| `") {
			continue
		}
		var labels []string
		for _, l := range word.FindAllStringSubmatch(cells[3], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		for _, name := range word.FindAllStringSubmatch(cells[1], -1) {
			found[name[1]] = labels
		}
	}
	return found
}

// TestMetricsAreThoseOfTheReferenceAndNameNobody scrapes the API, the control worker and a role worker after a task each of whose
// ids would be seen.
func TestMetricsAreThoseOfTheReferenceAndNameNobody(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	worker := s.worker("metrics-agent", dev.Worker{Flags: []string{"--addressable"}, Slots: 2})
	free := s.delegate(script{"*": {"result:1"}})
	addressed := s.delegate(script{"*": {"result:1"}}, func(r *sdk.TaskRequest) { r.AgentID = "metrics-agent" })
	s.ended(free.ID)
	s.ended(addressed.ID)

	s.attemptsCounted(worker)

	documented, exposed := documentedMetrics(t), map[string][]string{}
	for _, p := range []*dev.Process{s.stack.API, s.stack.Control, worker} {
		for name, family := range s.scrape(p) {
			labels := exposed[name]
			for _, m := range family.GetMetric() {
				for _, l := range m.GetLabel() {
					labels = append(labels, l.GetName())
					for _, secret := range []string{free.ID, addressed.ID, "metrics-agent", s.project} {
						if strings.Contains(l.GetValue(), secret) {
							t.Errorf("%s has the label %s=%q", name, l.GetName(), l.GetValue())
						}
					}
				}
			}
			slices.Sort(labels)
			exposed[name] = slices.Compact(labels)
		}
	}
	ours := func(name string, _ []string) bool { return !strings.HasPrefix(name, "rolecall_") }
	shown, listed := maps.Clone(exposed), maps.Clone(documented)
	maps.DeleteFunc(shown, ours)
	maps.DeleteFunc(listed, ours)
	if diff := cmp.Diff(listed, shown, emptyIsNil()); diff != "" || len(shown) == 0 {
		t.Errorf("docs/reference/metrics.md (-) and what is exposed (+):\n%s", diff)
	}
	common := []string{"namespace", "task_queue", "worker_type", "workflow_type", "activity_type"}
	for name, labels := range exposed {
		if !strings.HasPrefix(name, "temporal_") {
			continue
		}
		known, ok := documented[name]
		if !ok {
			t.Errorf("docs/reference/metrics.md does not list %s%v", name, labels)
			continue
		}
		for _, l := range labels {
			if !slices.Contains(known, l) && !slices.Contains(common, l) {
				t.Errorf("docs/reference/metrics.md does not say that %s has the label %s", name, l)
			}
		}
	}
	for _, want := range []string{"temporal_request_total", "temporal_workflow_completed_total", "temporal_activity_schedule_to_start_latency_seconds", "go_goroutines"} {
		if _, ok := exposed[want]; !ok {
			t.Errorf("%s is not exposed", want)
		}
	}
	s.untraced(free.ID)
}

func emptyIsNil() cmp.Option {
	return cmp.Transformer("emptyIsNil", func(list []string) string { return strings.Join(list, " ") })
}

// attemptsCounted waits for two completed attempts of the one role, which are counted after they are answered, and wants two slots.
func (s *scene) attemptsCounted(worker *dev.Process) {
	s.t.Helper()
	s.eventually("the counted attempts", patience, func() error {
		families := s.scrape(worker)
		attempts, slots := families["rolecall_worker_attempts_total"].GetMetric(), families["rolecall_worker_slots"].GetMetric()
		if len(attempts) != 1 || attempts[0].GetCounter().GetValue() != 2 || len(slots) != 1 || slots[0].GetGauge().GetValue() != 2 {
			return fmt.Errorf("the worker counted %v, of %v", attempts, slots)
		}
		return nil
	})
}

// untraced wants a run that nothing of a trace was written to.
func (s *scene) untraced(id string) {
	s.t.Helper()
	h, err := historyOf(s.t.Context(), s.stack.Temporal(), workflows.TaskWorkflowID(s.project, id))
	s.do(err)
	for _, e := range h.GetEvents() {
		header := e.GetWorkflowExecutionStartedEventAttributes().GetHeader()
		if e.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED {
			header = e.GetActivityTaskScheduledEventAttributes().GetHeader()
		}
		if len(header.GetFields()) != 0 {
			s.t.Errorf("%s has the header %v", e.GetEventType(), header)
		}
	}
}
