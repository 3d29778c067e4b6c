package workflows

import (
	"slices"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	// resultAllowance is how many bytes of history a child is counted with for its end, which is written there with all of its result.
	// What is larger counts once it is there, and the children that are open count with as much then. Room for the largest there can be, from
	// the beginning, would be for fifteen children at a time, where a task may have 200.
	resultAllowance = 64 << 10
	// childWeight is about how many bytes a child is in history beside what its request holds.
	childWeight = 16 << 10
	// maxDelegated is up to how many bytes of history a task takes children: what is left up to maxWritten is for its own attempts.
	maxDelegated = 30 << 20
)

// family is what a task knows of those that were delegated below it.
type family struct {
	counted   map[string]bool // by id: its children, and of a root all others below it; of another one those it was asked to count
	open      int             // children whose end is not there
	largest   int             // the most that the end of one has put into history beyond what was counted for it
	results   int             // bytes that the ends of children have put into history beyond what was counted for them
	undecided []*Delegation   // whose runs have not been seen to start, in the order of their events
}

// Delegation is a child whose run is about to be started.
type Delegation struct {
	Child TaskInput
	seq   int // of its event
}

// CheckDelegation answers nil when a child can be taken, else an [sdk.Error]: conflict when the task has ended, delegation_limit beyond
// [sdk.MaxDepth] or [sdk.MaxDescendants], which every task holds for its own children and for those below it that it is asked to count, a root
// for all, or where its history has no room for more, invalid_input for what no client of ours asks for.
func (c *Course) CheckDelegation(in DelegateTaskInput) error {
	if c.closed {
		return ParentEnded()
	}
	if !sdk.ValidID(in.Child.ID) || in.Child.ID == c.in.ID {
		return sdk.Errorf(sdk.CodeInvalidInput, "the child's id is not one that this run can take")
	}
	if len(c.family.counted) >= sdk.MaxDescendants && !c.family.counted[in.Child.ID] {
		return TooManyDescendants()
	}
	if in.CountOnly {
		return nil
	}
	if in.Child.Project != c.in.Project || in.Child.Request.ParentID != c.in.ID {
		return sdk.Errorf(sdk.CodeInvalidInput, "the child names another parent")
	}
	if c.in.Depth >= sdk.MaxDepth {
		return TooDeep()
	}
	if err := in.Child.Request.Validate(); err != nil {
		return err
	}
	if c.written+c.family.results+(c.family.open+1)*c.family.largest+weightOf(in.Child) > maxDelegated {
		return sdk.Errorf(sdk.CodeDelegationLimit, "what this task has delegated has filled the history that one run may have: delegate from a task of its own")
	}
	return nil
}

// ParentEnded refuses a child of a task that has ended, or is about to.
func ParentEnded() *sdk.Error {
	return sdk.Errorf(sdk.CodeConflict, "the parent task has ended, or was asked to, and takes no children any more")
}

// ParentBusy refuses a child for now: the same asked for again, at once, is taken unless the parent has more to go on from.
func ParentBusy() *sdk.Error {
	return sdk.Errorf(sdk.CodeUnavailable, "the parent task goes on just now; try again")
}

// TooManyDescendants refuses one task too many below one root.
func TooManyDescendants() *sdk.Error {
	return sdk.Errorf(sdk.CodeDelegationLimit, "there are %d tasks below one root already, which is the most", sdk.MaxDescendants)
}

// TooDeep refuses a child of a task that stands as deep as one may.
func TooDeep() *sdk.Error {
	return sdk.Errorf(sdk.CodeDelegationLimit, "the parent task has %d parents above it already, which is the most: do the work there", sdk.MaxDepth)
}

// weightOf is about how many bytes a child puts into its parent's history: what it is asked for with and started with, and its end.
// Texts count as they are written there, with escapes. It depends on what was handed in alone, so that it stays the same when a shape
// grows a field.
func weightOf(child TaskInput) int {
	weight := childWeight + resultAllowance
	for _, text := range []any{child.Request.Input, child.Request.Description, child.Request.Metadata} {
		size, err := EncodedSize(text)
		if err != nil { // what can not be written is no request that Validate lets through
			continue
		}
		weight += 2 * size
	}
	return weight
}

// enterFamily counts a task below this one, once.
func (c *Course) enterFamily(id string) {
	if c.family.counted == nil {
		c.family.counted = map[string]bool{}
	}
	c.family.counted[id] = true
}

// Delegated says whether the run of a child has started. Where it has not, it was never told of: what came after it moves up.
func (c *Course) Delegated(d *Delegation, started bool) {
	c.family.undecided = slices.DeleteFunc(c.family.undecided, func(other *Delegation) bool { return other == d })
	if started {
		return
	}
	c.family.open--
	first := c.seq - len(c.events) + 1
	c.events = slices.Delete(c.events, d.seq-first, d.seq-first+1)
	c.seq--
	for i := d.seq - first; i < len(c.events); i++ {
		e := &c.events[i]
		if e.CausationID == eventID(c.in, e.Seq-1) {
			e.CausationID = eventID(c.in, e.Seq-2)
		}
		e.Seq--
		e.ID = eventID(c.in, e.Seq)
	}
	for _, later := range c.family.undecided {
		if later.seq > d.seq {
			later.seq--
		}
	}
}

// ChildEnded takes how many bytes the end of a child has put into history. Those that have not ended yet are counted with as much as the
// largest of them, for the next child.
func (c *Course) ChildEnded(size int) {
	beyond := max(size-resultAllowance, 0)
	c.family.open--
	c.family.results += beyond
	c.family.largest = max(c.family.largest, beyond)
}
