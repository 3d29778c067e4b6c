package workflows

import (
	"slices"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Why a step is skipped, beside what a step that it needs is to blame for.
const (
	becauseCondition = "its condition is false"
	becauseCancelled = "the plan was cancelled"
	becauseStopped   = "the plan stopped: " // with what happened to which step
)

// planGraph is which step of a plan comes after which. Steps are named by their places in the plan.
type planGraph struct {
	ids     []string
	needs   [][]needed
	below   [][]int // who needs it, directly or through others, in the order of the plan
	reworks []int   // whom the step's gate sends back; -1: it has none
}

// needed is a step that another one needs directly.
type needed struct {
	step    int
	decided bool // the condition of who needs it reads its status, and alone decides about it
}

// stepStanding is where a step stands, as far as the order of the plan is decided by it.
type stepStanding struct {
	status  sdk.StepStatus
	begun   bool   // since the plan began, or it was sent back
	held    bool   // it is about to be sent back, which waits for tasks that are cancelled first
	because string // why it was skipped
	blame   string // what that comes from in the end, with the name of the step
}

// verdict is what becomes of a pending step.
type verdict int

const (
	verdictWaits   verdict = iota // for a step that it needs, or to be sent back
	verdictDue                    // its condition decides
	verdictSkipped                // a step that it needs has not completed
)

// newPlanGraph is the graph of the steps of a plan that was checked. readsStatus answers the steps whose status the condition of the
// step at a place reads.
func newPlanGraph(steps []sdk.PlanStep, readsStatus func(place int) []string) planGraph {
	g := planGraph{
		ids: make([]string, len(steps)), needs: make([][]needed, len(steps)), below: make([][]int, len(steps)), reworks: make([]int, len(steps)),
	}
	places := make(map[string]int, len(steps))
	for i, s := range steps {
		g.ids[i], places[s.ID] = s.ID, i
	}
	for i, s := range steps {
		decided := readsStatus(i)
		for _, id := range s.Needs {
			g.needs[i] = append(g.needs[i], needed{places[id], slices.Contains(decided, id)})
		}
		g.reworks[i] = -1
		if s.Gate != nil {
			g.reworks[i] = places[s.Gate.Rework]
		}
	}
	for i, above := range (sdk.PlanRequest{Steps: steps}).AllNeeds() {
		for _, id := range above {
			g.below[places[id]] = append(g.below[places[id]], i)
		}
	}
	return g
}

// judge is what becomes of the step at a place: nothing while it is not pending, or a step that it needs has not ended. A step that is
// skipped says because of what, and what that comes from in the end.
func (g planGraph) judge(at []stepStanding, place int) (v verdict, because, blame string) {
	if at[place].status != sdk.StepPending || at[place].held {
		return verdictWaits, "", ""
	}
	for _, n := range g.needs[place] {
		if s := at[n.step]; !s.status.Terminal() || s.held {
			return verdictWaits, "", ""
		}
	}
	for _, n := range g.needs[place] {
		if at[n.step].status != sdk.StepCompleted && !n.decided {
			because, blame = g.blames(at, n.step)
			return verdictSkipped, because, blame
		}
	}
	return verdictDue, "", ""
}

// blames says why a step that needs the one at a place, which has not completed, is skipped.
func (g planGraph) blames(at []stepStanding, place int) (because, blame string) {
	s := at[place]
	switch {
	case s.status != sdk.StepSkipped:
		because = g.fell(at, place)
		return because, because
	case s.because == becauseCondition:
		return g.ids[place] + " was skipped: " + becauseCondition, "the condition of " + g.ids[place] + " is false"
	default:
		return g.ids[place] + " was skipped: " + s.blame, s.blame
	}
}

// fell says how the step at a place has failed.
func (g planGraph) fell(at []stepStanding, place int) string {
	if at[place].status == sdk.StepCancelled {
		return g.ids[place] + " was cancelled"
	}
	return g.ids[place] + " failed"
}

// first is the ready step that begins next; -1: none does.
func (g planGraph) first(at []stepStanding) int {
	return slices.IndexFunc(at, func(s stepStanding) bool { return s.status == sdk.StepReady && !s.held })
}

// sentBack are the steps that begin anew when the gate of the step at a place is not passed, in the order of the plan: the one that it
// sends back, and who needs that one.
func (g planGraph) sentBack(gate int) []int {
	back := g.reworks[gate]
	return slices.Sorted(slices.Values(append([]int{back}, g.below[back]...)))
}

// quiet reports whether none of the steps at the places runs.
func (g planGraph) quiet(at []stepStanding, places []int) bool {
	return !slices.ContainsFunc(places, func(i int) bool { return at[i].status == sdk.StepRunning })
}

// rest are the steps that are skipped when a plan stops or is cancelled: those that have not begun.
func (g planGraph) rest(at []stepStanding) (places []int) {
	for i, s := range at {
		if s.status == sdk.StepPending || s.status == sdk.StepReady {
			places = append(places, i)
		}
	}
	return places
}
