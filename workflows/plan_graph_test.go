package workflows

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// graphOf is the graph of steps written as "id: needs needs?"; a question mark says that the condition reads the status of that one.
// "id ^ other" gives the step a gate.
func graphOf(steps ...string) planGraph {
	asked, decided := make([]sdk.PlanStep, len(steps)), make([][]string, len(steps))
	for i, s := range steps {
		head, needs, _ := strings.Cut(s, ":")
		id, rework, gate := strings.Cut(head, "^")
		asked[i].ID = strings.TrimSpace(id)
		if gate {
			asked[i].Gate = &sdk.Gate{Rework: strings.TrimSpace(rework)}
		}
		for _, need := range strings.Fields(needs) {
			name, question := strings.CutSuffix(need, "?")
			asked[i].Needs = append(asked[i].Needs, name)
			if question {
				decided[i] = append(decided[i], name)
			}
		}
	}
	return newPlanGraph(asked, func(i int) []string { return decided[i] })
}

// standings are those of steps, one letter each: p(ending), R(eady), r(unning), c(ompleted), f(ailed), x (cancelled), s(kipped by its
// condition), S (skipped for a that failed), h (completed, and held), H (pending, and held).
func standings(letters string) []stepStanding {
	at := make([]stepStanding, len(letters))
	for i, letter := range letters {
		at[i] = map[rune]stepStanding{
			'p': {status: sdk.StepPending}, 'R': {status: sdk.StepReady}, 'r': {status: sdk.StepRunning}, 'c': {status: sdk.StepCompleted},
			'f': {status: sdk.StepFailed}, 'x': {status: sdk.StepCancelled}, 's': {status: sdk.StepSkipped, because: becauseCondition},
			'S': {status: sdk.StepSkipped, because: "q was skipped: a failed", blame: "a failed"},
			'h': {status: sdk.StepCompleted, held: true}, 'H': {status: sdk.StepPending, held: true},
		}[letter]
	}
	return at
}

func TestPlanGraph_JudgesPendingSteps(t *testing.T) {
	t.Parallel()
	alone, pair, either := graphOf("a"), graphOf("a", "b", "c: a b"), graphOf("a", "b", "c: a? b")
	for name, tc := range map[string]struct {
		graph   planGraph
		at      string
		place   int
		want    verdict
		because string
		blame   string
	}{
		"needs nothing":              {alone, "p", 0, verdictDue, "", ""},
		"is ready":                   {alone, "R", 0, verdictWaits, "", ""},
		"runs":                       {alone, "r", 0, verdictWaits, "", ""},
		"has ended":                  {alone, "c", 0, verdictWaits, "", ""},
		"was skipped":                {alone, "s", 0, verdictWaits, "", ""},
		"is about to be sent back":   {alone, "H", 0, verdictWaits, "", ""},
		"both are pending":           {pair, "ppp", 2, verdictWaits, "", ""},
		"one is ready":               {pair, "cRp", 2, verdictWaits, "", ""},
		"one runs":                   {pair, "crp", 2, verdictWaits, "", ""},
		"one failed, one runs":       {pair, "frp", 2, verdictWaits, "", ""},
		"one is sent back":           {pair, "hcp", 2, verdictWaits, "", ""},
		"one will be judged anew":    {pair, "Hcp", 2, verdictWaits, "", ""},
		"both completed":             {pair, "ccp", 2, verdictDue, "", ""},
		"one failed":                 {pair, "cfp", 2, verdictSkipped, "b failed", "b failed"},
		"one was cancelled":          {pair, "xcp", 2, verdictSkipped, "a was cancelled", "a was cancelled"},
		"two failed":                 {pair, "ffp", 2, verdictSkipped, "a failed", "a failed"},
		"one was skipped":            {pair, "csp", 2, verdictSkipped, "b was skipped: its condition is false", "the condition of b is false"},
		"one was skipped for others": {pair, "cSp", 2, verdictSkipped, "b was skipped: a failed", "a failed"},
		"it decides about a failure": {either, "fcp", 2, verdictDue, "", ""},
		"it decides about a skip":    {either, "Scp", 2, verdictDue, "", ""},
		"but not about the other":    {either, "ffp", 2, verdictSkipped, "b failed", "b failed"},
		"and waits for its end":      {either, "rcp", 2, verdictWaits, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, because, blame := tc.graph.judge(standings(tc.at), tc.place)
			if v != tc.want || because != tc.because || blame != tc.blame {
				t.Errorf("%d, %q, %q; want %d, %q, %q", v, because, blame, tc.want, tc.because, tc.blame)
			}
		})
	}
}

func TestPlanGraph_FindsTheFirstReadyStep(t *testing.T) {
	t.Parallel()
	g := graphOf("a", "b", "c")
	for at, want := range map[string]int{"ppp": -1, "rcR": 2, "rRR": 1, "RpR": 0, "csf": -1, "": -1} {
		if got := g.first(standings(at)); got != want {
			t.Errorf("%s: %d, want %d", at, got, want)
		}
	}
	if got := g.first([]stepStanding{{status: sdk.StepReady, held: true}, {status: sdk.StepReady}}); got != 1 {
		t.Errorf("one that is sent back begins: %d", got)
	}
}

func TestPlanGraph_SendsBackWhoNeedsTheStep(t *testing.T) {
	t.Parallel()
	// Not in the order of their needs: deploy comes before what it needs.
	g := graphOf("deploy: review lint", "lint", "write: design", "design", "test: write", "review ^ write: test", "accept ^ design: review", "other: lint")
	for _, tc := range []struct {
		gate string
		want []string
	}{
		{"review", []string{"deploy", "write", "test", "review", "accept"}},
		{"accept", []string{"deploy", "write", "design", "test", "review", "accept"}},
	} {
		gate := 0
		for g.ids[gate] != tc.gate {
			gate++
		}
		var got []string
		for _, i := range g.sentBack(gate) {
			got = append(got, g.ids[i])
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s: %s", tc.gate, d)
		}
	}
}

func TestPlanGraph_LeavesTheRestAtTheEnd(t *testing.T) {
	t.Parallel()
	g := graphOf("a", "b", "c", "d", "e", "f", "g")
	if d := cmp.Diff([]int{0, 1}, g.rest(standings("pRrcfxs"))); d != "" {
		t.Error(d)
	}
	for at, want := range map[string]bool{"pRccfxs": true, "pRccfrs": true, "prccfxs": false, "pRccrxs": false} {
		if got := g.quiet(standings(at), []int{0, 1, 4}); got != want {
			t.Errorf("%s: %t", at, got)
		}
	}
}

// manyNeeds are 49 steps that need nothing, and 450 that each need all of those and the one that comes next.
func manyNeeds() (steps []sdk.PlanStep) {
	var roots []string
	for i := range sdk.MaxStepNeeds - 1 {
		roots = append(roots, "r"+strconv.Itoa(i))
		steps = append(steps, stepOf(roots[i]))
	}
	const others = 450
	for i := range others {
		s := stepOf("s"+strconv.Itoa(i), roots...)
		if i < others-1 {
			s.Needs = append(slices.Clone(roots), "s"+strconv.Itoa(i+1))
		}
		steps = append(steps, s)
	}
	return steps
}

// TestPlanGraph_OfALargePlan: it is made between two events of a run, in which nothing may take long, in whatever order the steps are given.
func TestPlanGraph_OfALargePlan(t *testing.T) {
	t.Parallel()
	steps, began := manyNeeds(), time.Now()
	g := newPlanGraph(steps, func(int) []string { return nil })
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
	if roots := sdk.MaxStepNeeds - 1; len(g.below[0]) != 450 || len(g.below[roots]) != 0 || len(g.below[roots+449]) != 449 {
		t.Errorf("%d, %d and %d steps are below", len(g.below[0]), len(g.below[roots]), len(g.below[roots+449]))
	}
}
