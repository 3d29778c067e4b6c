package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// chaosFor is how long processes are killed.
var chaosFor = flag.Duration("chaos", 20*time.Second, "how long the test of chaos kills processes; make soak has 2m")

const (
	chaosCallers    = 16
	chaosPublishers = 3
	chaosSettled    = 2 * time.Minute // after which everything that was begun has to have ended
)

// TestChaos kills API, control worker, role workers, event log and Temporal, in random order, one or two at a time, and starts them again, while
// callers hand out tasks and publish events. Then every task has one terminal event and is told without a gap, and what was acknowledged is there once.
func TestChaos(t *testing.T) {
	t.Parallel()
	c := &chaos{
		scene: newScene(t, dev.ForTest(t, dev.Options{})), chance: newChance(t), kills: map[string]int{},
		ends: map[string]sdk.Status{}, sent: map[string]string{}, terminated: map[string]bool{},
	}
	workers := []*dev.Process{c.worker("one", dev.Worker{Slots: 4}), c.worker("two", dev.Worker{Slots: 4})}
	c.parts = map[string]*dev.Process{
		"API": c.stack.API, "control worker": c.stack.Control, "event log": c.stack.Events, "Temporal": c.stack.TemporalServer,
		"worker one": workers[0], "worker two": workers[1],
	}
	ctx, cancel := context.WithTimeout(t.Context(), *chaosFor+chaosSettled)
	defer cancel()
	goes, stop := context.WithCancel(ctx)
	defer stop()
	var load, following sync.WaitGroup
	defer func() { cancel(); load.Wait(); following.Wait() }()
	for n := range chaosCallers {
		load.Go(func() { c.call(ctx, goes, c.source(n)) })
	}
	for n := range chaosPublishers {
		load.Go(func() { c.publish(ctx, goes, n, c.source(chaosCallers+n)) })
	}
	following.Go(func() { c.follow(ctx) })
	c.eventually("a first event", patience, func() error { return c.isTold(1) }) // once open, a stream is opened again for ever
	c.havoc(ctx, c.source(chaosCallers+chaosPublishers))
	stop()
	calm := time.Now()
	load.Wait()
	c.settled(ctx)
	t.Logf("%v were killed; everything had ended %s later", c.kills, time.Since(calm))
	if t.Failed() {
		return
	}
	kept := c.kept()
	c.checkTasks(kept)
	c.checkPublished(kept)
	c.checkFollowed(kept)
}

// chaos is what the callers were promised while processes were killed.
type chaos struct {
	*scene
	chance
	parts map[string]*dev.Process
	kills map[string]int // of the goroutine that kills

	mu         sync.Mutex
	ends       map[string]sdk.Status // how each accepted task ended, as its caller was told
	sent       map[string]string     // the sequence of each event that was published, "" where there was no answer
	terminated map[string]bool       // tasks whose run was ended past rolecall
	refused    int                   // calls without an answer
	followed   []sdk.Event           // what a follower was told
}

// havoc kills and restarts until the time is over and each part was killed at least once.
func (c *chaos) havoc(ctx context.Context, random *rand.Rand) {
	end := time.Now().Add(*chaosFor)
	for first := true; first || time.Now().Before(end); first = false {
		names := slices.Sorted(maps.Keys(c.parts))
		random.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
		for len(names) > 0 && (first || time.Now().Before(end)) && ctx.Err() == nil {
			n := min(1+random.IntN(2), len(names))
			c.strike(ctx, random, names[:n])
			names = names[n:]
			pause(ctx, random, time.Second)
		}
	}
}

// strike kills processes at random moments and starts them again, at once or after up to a second.
func (c *chaos) strike(ctx context.Context, random *rand.Rand, names []string) {
	var back sync.WaitGroup
	for _, name := range names {
		p := c.parts[name]
		c.kills[name]++
		c.t.Logf("%s: %s is killed", time.Now().Format(time.StampMilli), name)
		if err := p.Kill(); err != nil {
			c.t.Errorf("kill %s: %v", name, err)
		}
		pause(ctx, random, 200*time.Millisecond)
	}
	pause(ctx, random, time.Second)
	for _, name := range names {
		back.Go(func() {
			if err := c.parts[name].Restart(ctx); err != nil {
				c.t.Errorf("restart %s: %v", name, err)
			}
		})
	}
	back.Wait()
}

// pause lets a random time pass, that the moments of what happens are random.
func pause(ctx context.Context, random *rand.Rand, most time.Duration) {
	timer := time.NewTimer(time.Duration(random.Int64N(int64(most))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// call hands out tasks as long as it goes, each when the one before has ended.
func (c *chaos) call(ctx, goes context.Context, random *rand.Rand) {
	deeds := chaosDeeds()
	for goes.Err() == nil {
		deed := deeds[random.IntN(len(deeds))]
		task, err := c.client.CreateTask(ctx, c.request(deed.steps))
		if err != nil {
			c.noAnswer(err)
			continue
		}
		if deed.then != nil {
			pause(ctx, random, time.Second)
			if err := deed.then(ctx, c, task.ID); err != nil {
				c.t.Errorf("task %s: %v", task.ID, err)
			}
		}
		ended, err := c.client.WaitForTask(ctx, task.ID)
		if err != nil {
			c.t.Errorf("task %s was accepted and has not ended: %v", task.ID, err)
			continue
		}
		c.mu.Lock()
		c.ends[task.ID] = ended.Status
		c.mu.Unlock()
	}
}

// noAnswer counts a call that was not answered, which promises nothing. Any other refusal is a fault.
func (c *chaos) noAnswer(err error) {
	if !errors.Is(err, sdk.ErrUnavailable) {
		c.t.Errorf("a call was refused: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused++
}

// publish publishes events, one or a few at a time, as long as it goes.
func (c *chaos) publish(ctx, goes context.Context, publisher int, random *rand.Rand) {
	for n := 0; goes.Err() == nil; {
		var events []sdk.EventRequest
		for range 1 + max(0, random.IntN(20)-9) {
			n++
			events = append(events, sdk.EventRequest{Type: chaosEvent, ID: fmt.Sprintf("%d-%d", publisher, n), Data: fmt.Appendf(nil, `{"n":%d}`, n)})
		}
		done, err := c.client.Publish(ctx, events...)
		if err != nil {
			c.noAnswer(err)
		}
		c.mu.Lock()
		for _, e := range events {
			c.sent[e.ID] = ""
		}
		for _, p := range done {
			c.sent[p.ID] = p.Sequence
		}
		c.mu.Unlock()
		pause(goes, random, 100*time.Millisecond)
	}
}

// isTold returns nil when the follower was told n events.
func (c *chaos) isTold(n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := len(c.followed); now < n {
		return fmt.Errorf("the follower was told %d of %d events", now, n)
	}
	return nil
}

// chaosEvent is the type of what is published.
const chaosEvent sdk.EventType = "build.done"

// follow follows the project's log over everything that happens.
func (c *chaos) follow(ctx context.Context) {
	for e, err := range c.client.Subscribe(ctx, sdk.EventFilter{FromStart: true}) {
		if err != nil {
			if ctx.Err() == nil {
				c.t.Errorf("the follower was not to be stopped by anything: %v", err)
			}
			return
		}
		if e.Sequence == "" {
			continue // what is not kept
		}
		c.mu.Lock()
		c.followed = append(c.followed, *e)
		c.mu.Unlock()
	}
}
