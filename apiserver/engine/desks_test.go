package engine

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// A queue has one desk for as long as somebody uses it, and a project so many of them.
func TestDesksOfAProject(t *testing.T) {
	t.Parallel()
	s := newDesks()
	opened := 0
	enter := func(queue, project string, most int) (*desk, func()) {
		return s.enter(queue, project, most, func() *desk {
			opened++
			return &desk{}
		})
	}
	first, leave := enter("shop.coder", "shop", 2)
	again, leaveAgain := enter("shop.coder", "shop", 1) // it is there already
	_, leaveOther := enter("shop.tester", "shop", 2)
	if d, _ := enter("shop.planner", "shop", 2); d != nil {
		t.Error("a third of two")
	}
	if d, _ := enter("bank.coder", "bank", 2); d == nil {
		t.Error("another project has none")
	}
	if first == nil || again != first || opened != 3 {
		t.Errorf("%d desks were opened", opened)
	}
	leave()
	begun := s.begin("shop.coder")
	leaveAgain()
	if d, _ := enter("shop.planner", "shop", 2); d != nil {
		t.Error("a desk is closed while its poll goes on")
	}
	begun()
	leaveOther()
	if _, there := s.of["shop"]; there || len(s.seat) != 1 {
		t.Errorf("%d desks are left", len(s.seat))
	}
	if d, _ := enter("shop.coder", "shop", 2); d == first {
		t.Error("a desk that nobody uses is kept")
	}
}

func TestDesksInACrowd(t *testing.T) {
	t.Parallel()
	s := newDesks()
	s.enter("shop.coder", "shop", 1, func() *desk { return &desk{} })
	s.enter("bank.coder", "bank", 1, func() *desk { return &desk{} })
	for n := range workOfAProject {
		if s.crowded("shop") {
			t.Fatalf("%d polls are a crowd", n)
		}
		t.Cleanup(s.begin("shop.coder"))
	}
	if !s.crowded("shop") || s.crowded("bank") || s.crowded("none") {
		t.Error("the crowd is not where it is")
	}
}

// A claim for one queue too many is refused; an agent's own is passed over before that, and leaves nothing behind.
func TestClaimsOfTooManyQueues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		taken     int
		addressed bool
		own       int // polls of the agent's own queue
		code      sdk.Code
	}{
		"of a role":               {taken: desksOfAProject - 1},
		"of one role too many":    {taken: desksOfAProject, code: sdk.CodeRateLimited},
		"addressed":               {taken: ownDesks - 1, addressed: true, own: 1},
		"addressed, passed over":  {taken: ownDesks, addressed: true},
		"addressed, with no room": {taken: desksOfAProject, addressed: true, code: sdk.CodeRateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOneLease(t)
				o.quiet = workflows.AgentQueue("shop", "coder", "ada")
				e := leasing(t, o, false)
				for n := range test.taken {
					e.leases.desks.enter(fmt.Sprint(n), "shop", desksOfAProject, func() *desk { return &desk{} })
				}
				claimed, err := e.ClaimTask(t.Context(), activities.Claim{Project: "shop", Role: "coder", AgentID: "ada", Addressed: test.addressed, Wait: 10 * time.Second})
				if refused, ok := errors.AsType[*sdk.Error](err); test.code == "" && (err != nil || claimed == nil) || test.code != "" && (!ok || refused.Code != test.code || refused.RetryAfter == 0) {
					t.Errorf("%+v, %v", claimed, err)
				}
				if o.asked != test.own {
					t.Errorf("its own queue was asked %d times", o.asked)
				}
				e.Close()
				if left := len(e.leases.desks.seat); left != test.taken {
					t.Errorf("%d desks are left of %d", left, test.taken)
				}
			})
		})
	}
}
