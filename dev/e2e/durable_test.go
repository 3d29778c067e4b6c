package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	workDone      = sdk.EventType("work.done")
	workPoisonous = sdk.EventType("work.poisonous")
	inHand        = 5 // how many events a consumer handles at once
)

// TestHelperConsumes is a consumer in a process of its own: it writes down which events it has, which it did, and, once it has done so many,
// does no more, until it is killed.
func TestHelperConsumes(t *testing.T) {
	if !strings.Contains(strings.Join(os.Args, " "), "-test.run=^TestHelperConsumes$") {
		t.Skip("a helper of TestThreeProcessesShareASubscription")
	}
	name, file := flag.Arg(0), flag.Arg(1)
	most, err := strconv.Atoi(flag.Arg(2))
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	turns := make(chan struct{}, most)
	err = client.Durable(name).Run(t.Context(), func(ctx context.Context, d *sdk.Delivery) error {
		note := func(what string) error {
			_, err := fmt.Fprintf(out, "%s %s %d\n", what, d.Event.ID, d.Deliveries)
			return err
		}
		if err := note("has"); err != nil {
			return err
		}
		if d.Event.Type == workPoisonous {
			poison := sdk.Retryable("poisonous", errors.New("nobody can do this"))
			poison.RetryAfter = time.Millisecond
			return errors.Join(note("refused"), poison)
		}
		select {
		case turns <- struct{}{}:
			return note("did")
		default:
			<-ctx.Done()
			return ctx.Err()
		}
	}, sdk.Concurrency(inHand))
	t.Fatalf("it ended: %v", err)
}

// consumer is such a process as the test sees it.
type consumer struct {
	*dev.Process
	s    *scene
	file string
}

// consumer starts one that does at most so many events.
func (s *scene) consumer(name string, most int) *consumer {
	s.t.Helper()
	self, err := os.Executable()
	s.do(err)
	c := &consumer{s: s, file: s.path(name + ".events")}
	c.Process, err = s.stack.Start(s.t.Context(), dev.Command{
		Name: s.project + "-" + name, Path: self, Args: []string{"-test.run=^TestHelperConsumes$", "work", c.file, strconv.Itoa(most)},
		Env: []string{"PROJECT_ID=" + s.project},
	})
	s.do(err)
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("consumer %s: %s", name, c.LogTail(20))
		}
		_ = c.Kill() // it may have ended
	})
	return c
}

// noted is what it has written of an event: "has", "did" or "refused", and how often that was given out by then.
type noted struct {
	what       string
	deliveries int
}

// notes are what it has written down, by event.
func (c *consumer) notes() map[string][]noted {
	c.s.t.Helper()
	raw, err := os.ReadFile(c.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.s.t.Fatal(err)
	}
	by := map[string][]noted{}
	for line := range strings.Lines(string(raw)) {
		if !strings.HasSuffix(line, "\n") {
			break // being written
		}
		var id string
		var n noted
		if _, err := fmt.Sscanf(line, "%s %s %d", &n.what, &id, &n.deliveries); err != nil {
			c.s.t.Fatalf("a consumer wrote %q: %v", line, err)
		}
		by[id] = append(by[id], n)
	}
	return by
}

// held are the events that it has in its hands.
func (c *consumer) held() (ids []string) {
	c.s.t.Helper()
	for id, list := range c.notes() {
		if list[len(list)-1].what == "has" {
			ids = append(ids, id)
		}
	}
	return ids
}

// TestThreeProcessesShareASubscription: one of them is killed with events in its hands, and one more receiver goes away with some. Every
// event is done by somebody else then, and one that nobody can do ends among the dead.
func TestThreeProcessesShareASubscription(t *testing.T) {
	t.Parallel()
	const poison, deliveries = "poison", 8
	s := newScene(t, sharedStack(t))
	work := s.client.Durable("work")
	_, err := work.Put(t.Context(), sdk.SubscriptionRequest{Types: sdk.EventPatterns{"work.*"}, From: "beginning", MaxDeliveries: deliveries, AckWaitMs: 2000})
	s.do(err)
	var ids []string
	publish := func(n int) {
		t.Helper()
		var events []sdk.EventRequest
		for range n {
			ids = append(ids, fmt.Sprint("event-", len(ids)))
			events = append(events, sdk.EventRequest{Type: workDone, ID: ids[len(ids)-1]})
		}
		_, err := s.client.Publish(t.Context(), events...)
		s.do(err)
	}
	publish(inHand)
	taken, err := work.Pull(t.Context(), sdk.PullRequest{Max: inHand, WaitMs: patience.Milliseconds()})
	s.do(err)
	if len(taken) != inHand {
		t.Fatalf("%d events were given out, want %d", len(taken), inHand)
	}

	const all = 1 << 20
	victim, others := s.consumer("victim", 20), []*consumer{s.consumer("one", all), s.consumer("other", all)}
	publish(50)
	_, err = s.client.Publish(t.Context(), sdk.EventRequest{Type: workPoisonous, ID: poison})
	s.do(err)
	var held []string
	s.eventually("the victim has its hands full", patience, func() error {
		if held = victim.held(); len(held) == inHand && !slices.Contains(held, poison) {
			return nil
		}
		publish(10)
		return fmt.Errorf("it has %v", held)
	})
	s.do(victim.Kill())
	held = victim.held()
	publish(50)

	s.eventually("everything is done, or dead", patience, func() error {
		got, err := work.Get(t.Context())
		if err == nil && (got.Pending != 0 || got.Unacked != 0) {
			err = fmt.Errorf("%d are pending and %d out", got.Pending, got.Unacked)
		}
		return err
	})
	first, second := others[0].notes(), others[1].notes()
	did := func(id string, afresh bool) bool {
		for _, n := range append(append(victim.notes()[id], first[id]...), second[id]...) {
			if n.what == "did" && (!afresh || n.deliveries > 1) {
				return true
			}
		}
		return false
	}
	for _, id := range ids {
		if !did(id, slices.Contains(held, id)) {
			t.Errorf("%s was lost; the victim had %v", id, held)
		}
	}
	var acks []string
	for _, d := range taken {
		if acks = append(acks, d.Ack); !did(d.Event.ID, true) {
			t.Errorf("%s, which was given to one who went away, was given to nobody else", d.Event.ID)
		}
	}
	settled, err := work.Ack(t.Context(), acks...)
	s.do(err)
	for _, late := range settled {
		if !late.Stale {
			t.Errorf("the one who went away acknowledges for the one who did it: %+v", late)
		}
	}
	if len(first) == 0 || len(second) == 0 {
		t.Errorf("one had %d events, the other %d: they do not share", len(first), len(second))
	}
	dead := 0
	for d, err := range work.Dead(t.Context()) {
		s.do(err)
		if dead++; d.Event.ID != poison || d.Deliveries != deliveries {
			t.Errorf("dead is %s after %d deliveries", d.Event.ID, d.Deliveries)
		}
	}
	if dead != 1 {
		t.Errorf("%d events are dead, want the poisonous one", dead)
	}
	t.Logf("%d events; the victim was killed with %d", len(ids), len(held))
}
