package activities_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/rolecall-dev/rolecall/activities"
)

// agents is a scripted registry: those that have what is asked for, from look to look.
type agents struct {
	looks [][]string // the last one stays
	full  [][]string // who has no free slot, by how often that was asked
	err   error
	asked int
	freed int // how often it was asked who is free
}

func (a *agents) Free(_ context.Context, _, _ string, _ []string, ids []string) (free []string, err error) {
	full := a.full[min(a.freed, len(a.full)-1)]
	a.freed++
	for _, id := range ids {
		if !slices.Contains(full, id) {
			free = append(free, id)
		}
	}
	return free, a.err
}

func (a *agents) Find(_ context.Context, _, _ string, _ []string, except []string) (string, error) {
	if a.err != nil {
		return "", a.err
	}
	there := a.looks[min(a.asked, len(a.looks)-1)]
	a.asked++
	for _, id := range there {
		if !slices.Contains(except, id) {
			return id, nil
		}
	}
	return "", nil
}

func (a *agents) Fits(_ context.Context, _, _, agentID string, _ []string) (bool, error) {
	if a.err != nil {
		return false, a.err
	}
	there := a.looks[min(a.asked, len(a.looks)-1)]
	a.asked++
	return slices.Contains(there, agentID), nil
}

func find(t *testing.T, a activities.Agents, in activities.FindAgentInput) (string, error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	f := activities.NewFinder(a)
	env.RegisterActivity(f.FindAgent)
	value, err := env.ExecuteActivity(f.FindAgent, in)
	if err != nil {
		return "", err
	}
	var out activities.FindAgentOutput
	err = value.Get(&out)
	return out.AgentID, err
}

func TestFindsAnAgent(t *testing.T) {
	t.Parallel()
	all := [][]string{{"ada", "bob", "eve"}}
	for name, tc := range map[string]struct {
		in    activities.FindAgentInput
		want  string
		looks int
	}{
		"any":                     {activities.FindAgentInput{}, "ada", 1},
		"another one":             {activities.FindAgentInput{Passed: []string{"ada"}}, "bob", 1},
		"there is no other":       {activities.FindAgentInput{Passed: []string{"bob", "eve", "ada"}}, "ada", 2},
		"the addressed one":       {activities.FindAgentInput{AgentID: "eve"}, "eve", 1},
		"the addressed one again": {activities.FindAgentInput{AgentID: "eve", Passed: []string{"eve"}}, "eve", 1},
	} {
		a := &agents{looks: all}
		if got, err := find(t, a, tc.in); err != nil || got != tc.want || a.asked != tc.looks {
			t.Errorf("%s: %q, %v after %d looks, want %q after %d", name, got, err, a.asked, tc.want, tc.looks)
		}
	}
}

// TestWaitsForAnAgent: it lasts until there is one.
func TestWaitsForAnAgent(t *testing.T) {
	t.Parallel()
	a := &agents{looks: [][]string{nil, nil, {"ada"}}}
	if got, err := find(t, a, activities.FindAgentInput{}); err != nil || got != "ada" || a.asked != 3 {
		t.Errorf("%q, %v, after %d looks", got, err, a.asked)
	}
}

// TestWaitsForAnotherAgent: beside one that is being asked only another one will do, who was not asked, or has a free slot since.
func TestWaitsForAnotherAgent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		looks, full [][]string
		want        string
		after       int
	}{
		"who was not asked":            {[][]string{{"ada", "bob"}, {"ada", "bob", "eve"}}, [][]string{{"ada", "bob"}}, "eve", 2},
		"at once":                      {[][]string{{"eve", "ada"}}, [][]string{nil}, "eve", 1},
		"who has a free slot since":    {[][]string{{"ada", "bob"}}, [][]string{{"bob"}, {"ada"}}, "bob", 2},
		"who was free and was full":    {[][]string{{"ada", "bob"}}, [][]string{nil, {"bob"}, {"ada"}}, "bob", 3},
		"not who is free all the time": {[][]string{{"ada", "bob"}, {"ada", "bob"}, {"ada", "bob"}, {"eve"}}, [][]string{{"ada"}, nil, {"ada"}, nil}, "eve", 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &agents{looks: tc.looks, full: tc.full}
			got, err := find(t, a, activities.FindAgentInput{Passed: []string{"ada", "bob"}, Asked: "ada"})
			if err != nil || got != tc.want || a.asked != tc.after {
				t.Errorf("%q, %v after %d looks, want %q after %d", got, err, a.asked, tc.want, tc.after)
			}
		})
	}
}

func TestALookThatFailsIsMadeAgainByTemporal(t *testing.T) {
	t.Parallel()
	_, err := find(t, &agents{err: errors.New("away")}, activities.FindAgentInput{})
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || app.NonRetryable() || app.NextRetryDelay() != 5*time.Second {
		t.Errorf("%v", err)
	}
	if d := cmp.Diff("unavailable", app.Type()); d != "" {
		t.Error(d)
	}
}
