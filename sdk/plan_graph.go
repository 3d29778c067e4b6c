package sdk

import (
	"slices"
	"strings"
)

// planGraph is which steps of a plan need which, by their places in it. Steps that are not there are left out; of several with the same id
// the first is meant.
type planGraph struct {
	steps []PlanStep
	place map[string]int
	needs [][]int // of each step, sorted, each once
}

func newPlanGraph(steps []PlanStep) *planGraph {
	g := &planGraph{steps: steps, place: make(map[string]int, len(steps)), needs: make([][]int, len(steps))}
	for i, s := range steps {
		if _, again := g.place[s.ID]; !again {
			g.place[s.ID] = i
		}
	}
	for i, s := range steps {
		for _, id := range s.Needs {
			if j, ok := g.place[id]; ok {
				g.needs[i] = append(g.needs[i], j)
			}
		}
		slices.Sort(g.needs[i])
		g.needs[i] = slices.Compact(g.needs[i])
	}
	return g
}

// AllNeeds answers, of each step in order, the ids of all steps that it needs, directly or through others, in the order of the plan. A step of a
// cycle needs itself. What is needed and not there is left out.
func (r PlanRequest) AllNeeds() [][]string {
	g := newPlanGraph(r.Steps)
	all := make([][]string, len(r.Steps))
	for i, set := range g.ancestors() {
		for j, s := range r.Steps {
			if set.has(j) {
				all[i] = append(all[i], s.ID)
			}
		}
	}
	return all
}

// places is a set of steps by their places.
type places []uint64

func (p places) has(i int) bool { return p[i/64]&(1<<(i%64)) != 0 }
func (p places) put(i int)      { p[i/64] |= 1 << (i % 64) }

// unite puts all of other into p, and answers whether any was new.
func (p places) unite(other places) (grew bool) {
	for i, word := range other {
		grew = grew || word&^p[i] != 0
		p[i] |= word
	}
	return grew
}

// ancestors answers of each step all that it needs, directly or through others. Without cycles one pass over the steps, those that are
// needed first, finds them all.
func (g *planGraph) ancestors() []places {
	sets := make([]places, len(g.steps))
	for i := range sets {
		sets[i] = make(places, len(g.steps)/64+1)
	}
	order, cyclic := g.order()
	for again := true; again; {
		again = false
		for _, i := range order {
			for _, j := range g.needs[i] {
				grew := sets[i].unite(sets[j])
				again = again || grew
				sets[i].put(j)
			}
		}
		again = again && cyclic
	}
	return sets
}

// order is that of the steps, what is needed before what needs it, as far as there are no cycles.
func (g *planGraph) order() (order []int, cyclic bool) {
	g.walk(func(i int) { order = append(order, i) }, func([]int) { cyclic = true })
	return order, cyclic
}

// cycles answers a cycle for each group of steps that need one another, as ids from its first step in the plan around to it again.
func (g *planGraph) cycles() [][]string {
	var found [][]string
	named := make(places, len(g.steps)/64+1)
	g.walk(func(int) {}, func(around []int) {
		if slices.ContainsFunc(around, named.has) { // one of its steps is in a cycle that is named
			return
		}
		first := slices.Index(around, slices.Min(around))
		var ids []string
		for _, i := range slices.Concat(around[first:], around[:first+1]) {
			ids = append(ids, g.steps[i].ID)
			named.put(i)
		}
		found = append(found, ids)
	})
	return found
}

// walk goes from each step to those that it needs, without recursion, and leaves each step once, after all that it needs. It hands each
// cycle that it comes upon to around, from one of its steps to the last before that step again.
func (g *planGraph) walk(leave func(i int), around func(cycle []int)) {
	const (
		fresh = iota
		open  // on the path
		left
	)
	state := make([]int, len(g.steps))
	next := make([]int, len(g.steps)) // which need of it is next
	for root := range g.steps {
		if state[root] != fresh {
			continue
		}
		path := []int{root}
		state[root] = open
		for len(path) > 0 {
			at := path[len(path)-1]
			if next[at] == len(g.needs[at]) {
				state[at], path = left, path[:len(path)-1]
				leave(at)
				continue
			}
			to := g.needs[at][next[at]]
			next[at]++
			switch state[to] {
			case fresh:
				state[to], path = open, append(path, to)
			case open:
				around(path[slices.Index(path, to):])
			}
		}
	}
}

func arrows(ids []string) string { return strings.Join(ids, " → ") }

// runs is how many tasks the steps may have, every possible rework counted: a step counts once, and once more for every rework of a gate
// that sends back it, or something that it needs.
func (g *planGraph) runs(ancestors []places) int {
	total := len(g.steps)
	for _, s := range g.steps {
		if s.Gate == nil {
			continue
		}
		target, ok := g.place[s.Gate.Rework]
		if !ok {
			continue
		}
		for i := range g.steps {
			if i == target || ancestors[i].has(target) {
				total += min(max(s.Gate.reworks(), 0), MaxMaxReworks)
			}
		}
	}
	return total
}
