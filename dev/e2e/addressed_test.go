package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

var (
	addressing = flag.Int("addressing", 20, "how many tasks address an agent that has a backlog of its role")
	backlog    = flag.Int("backlog", 10, "how many tasks of its role that agent finds waiting")
)

// gated is an agent that notes what it works on, and holds each task of its role until the test lets it go.
type gated struct {
	mu      sync.Mutex
	at      int // attempts that run
	most    int
	began   []string      // tasks, in order
	holding chan struct{} // closed to let the task that is held go; nil while none is
	open    bool          // none is held any more
}

func (g *gated) Handle(ctx context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
	g.mu.Lock()
	g.at++
	g.most = max(g.most, g.at)
	g.began = append(g.began, a.Task.ID)
	held := make(chan struct{})
	if a.Task.AgentID == "" && !g.open {
		g.holding = held
	} else {
		close(held)
	}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.at--
	}()
	select {
	case <-held:
		return &sdk.Result{Output: json.RawMessage(`1`)}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// holds tells whether a task is held.
func (g *gated) holds() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holding == nil {
		return fmt.Errorf("%d tasks have begun, and none is held", len(g.began))
	}
	return nil
}

// letGo lets the task that is held go, and says how many have begun so far; false is that none is held.
func (g *gated) letGo() (began int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holding == nil {
		return len(g.began), false
	}
	close(g.holding)
	g.holding = nil
	return len(g.began), true
}

// letAllGo holds none any more.
func (g *gated) letAllGo() {
	g.mu.Lock()
	g.open = true
	g.mu.Unlock()
	g.letGo()
}

// after is the task that began next after so many.
func (g *gated) after(n int) (id string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.began) <= n {
		return "", fmt.Errorf("%d have begun", n)
	}
	return g.began[n], nil
}

// addressedWait is how long a task is held for an addressed one to come to the agent. A poll of the agent's own queue that ends before
// the addressed task is there is not begun again while the slot is taken; such a round shows nothing.
const addressedWait = 5 * time.Second

// TestAnAddressedTaskWaitsForOneOther: an agent with one slot has a backlog of its role, and tasks that address it come while it works.
// One that has come to the agent before that work ends is the next to begin.
func TestAnAddressedTaskWaitsForOneOther(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	create := func(agent string) string {
		task, err := s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "one of many", AgentID: agent})
		s.do(err)
		return task.ID
	}
	var all []string
	for range *backlog {
		all = append(all, create(""))
	}
	g := &gated{}
	(&stackTarget{scene: s}).Agent(sdk.RoleCoder, "solo", g)
	shown := 0
	for round := range *addressing {
		all = append(all, create("")) // so that the backlog lasts
		s.eventually("another one at work", patience, g.holds)
		mine := create("solo")
		all = append(all, mine)
		if !s.comes(mine) {
			s.eventually("the end of the addressed task", patience, func() error {
				if _, one := g.letGo(); one {
					all = append(all, create(""))
				}
				task, err := s.client.GetTask(s.t.Context(), mine)
				if err == nil && !task.Status.Terminal() {
					err = fmt.Errorf("it is %s", task.Status)
				}
				return err
			})
			continue
		}
		before, _ := g.letGo()
		var next string
		s.eventually("the next begin", patience, func() (err error) {
			next, err = g.after(before)
			return err
		})
		if shown++; next != mine {
			t.Fatalf("round %d: %s began before the addressed task %s, which had come to the agent", round, next, mine)
		}
	}
	g.letAllGo()
	for _, id := range all {
		if task := s.ended(id); task.Status != sdk.StatusCompleted {
			t.Errorf("%s is %s after %q", id, task.Status, chain(task))
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.most != 1 {
		t.Errorf("%d at once", g.most)
	}
	if 2*shown < *addressing {
		t.Errorf("in %d of %d rounds only the addressed task came to the agent while it worked", shown, *addressing)
	}
	t.Logf("%d of %d rounds show it", shown, *addressing)
}

// comes waits until an agent has got a task, though it may not work on it yet; false says that it did not within addressedWait. That Temporal
// has handed the task out is not enough, since it may be under way still: one that waits for a slot says so with a heartbeat at once.
func (s *scene) comes(id string) bool {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), addressedWait)
	defer cancel()
	return dev.Until(ctx, addressedWait, func(context.Context) error {
		p, err := s.pending(id)
		if err == nil && p.GetState() != enumspb.PENDING_ACTIVITY_STATE_STARTED {
			err = fmt.Errorf("it is %s", p.GetState())
		}
		if err == nil && p.GetLastHeartbeatTime() == nil {
			err = errors.New("nobody has said that it came")
		}
		return err
	}) == nil
}
