package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// counts are the series of leases that are not 0, and how many there are in all.
func counts(t *testing.T, from *prometheus.Registry) (list []string, all int) {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		name, ours := strings.CutPrefix(family.GetName(), "rolecall_lease")
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if !ours {
				continue
			}
			all++
			if n := m.GetCounter().GetValue() + m.GetGauge().GetValue(); n != 0 {
				list = append(list, fmt.Sprintf("%s %s %v", strings.TrimLeft(name, "s_"), strings.Join(labels, " "), n))
			}
		}
	}
	slices.Sort(list)
	return list, all
}

func TestLeasesAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shown := prometheus.NewRegistry()
		o := newOneLease(t)
		o.quiet = "shop.tester"
		e := newEngine(o, Config{Metrics: shown})
		_, least := counts(t, shown)
		c := claim(t, e)
		if _, err := e.ReportAttempt(t.Context(), c.Hold, word(10, "")); err != nil {
			t.Fatal(err)
		}
		end := activities.Ending{Failure: sdk.Retryable("red", errors.New("red")), Digest: "d1"}
		for range 2 { // the second time says nothing new
			if err := e.EndAttempt(t.Context(), c.Hold, end); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.ReportAttempt(t.Context(), c.Hold, word(20, "")); !errors.Is(err, sdk.ErrLeaseLost) {
			t.Fatal(err)
		}
		end.Digest = "d2"
		if err := e.EndAttempt(t.Context(), c.Hold, end); !errors.Is(err, sdk.ErrLeaseLost) {
			t.Fatal(err)
		}
		o.again()
		made, err := e.ClaimTask(t.Context(), activities.Claim{Project: "shop", Role: "made-up", AgentID: "ada"})
		if err != nil || made == nil {
			t.Fatal(made, err)
		}
		e.ReturnAttempt(made.Hold)
		go func() {
			_, _ = e.ClaimTask(t.Context(), activities.Claim{Project: "shop", Role: "tester", AgentID: "ada"})
		}()
		synctest.Wait()
		got, all := counts(t, shown)
		if d := cmp.Diff([]string{
			"claims_waiting tester 1", "ended_total failed coder 1", "given_total coder 1", "given_total other 1", "lost_total coder 2", "polls tester 1",
			"returned_total other 1",
		}, got); d != "" {
			t.Error(d)
		}
		if all != least {
			t.Errorf("%d series, %d before", all, least)
		}
		e.Close()
		if got, _ := counts(t, shown); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "polls") || strings.HasPrefix(s, "claims") }) {
			t.Errorf("after the end there is %q", got)
		}
	})
}

func TestOutcomeOf(t *testing.T) {
	t.Parallel()
	for want, end := range map[sdk.Outcome]activities.Ending{
		sdk.OutcomeCompleted: {Result: &sdk.Result{}}, sdk.OutcomeFailed: {Failure: sdk.Final("red", errors.New("red"))},
		sdk.OutcomeInterrupted: {Failure: sdk.Retryable(sdk.CodeInterrupted, errors.New("stopping"))}, sdk.OutcomeInputRequired: {Question: &sdk.InputRequired{}},
	} {
		if got := outcomeOf(end); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
