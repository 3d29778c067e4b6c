package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// addressable is for [server.register].
func addressable(q *sdk.AgentRequest) { q.Addressable = true }

func TestALookAtAProjectServesManyForASecond(t *testing.T) {
	t.Parallel()
	s := newServer(t, "", newClock())
	s.register("a", addressable)
	there := record{ID: "b", Role: sdk.RoleCoder, Status: sdk.AgentIdle, Addressable: true}
	for name, test := range map[string]struct {
		at   time.Time
		want string
	}{"one that serves": {time.Now().Add(time.Hour), "b"}, "one that is old": {time.Now().Add(-snapshotFor), "a"}} {
		s.shared.drop("shop")
		s.shared.keep("shop", &snapshot{at: test.at, records: []record{there}})
		if got, err := s.Find(bounded(t), "shop", "coder", nil, nil); err != nil || got != test.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for range maxSnapshots + 10 {
		s.shared.keep(fmt.Sprint(len(s.shared.all)), &snapshot{at: time.Now().Add(time.Hour)})
	}
	if n := len(s.shared.all); n > maxSnapshots {
		t.Errorf("%d projects are remembered", n)
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	s := newServer(t, "", newClock())
	s.register("a", addressable, func(q *sdk.AgentRequest) { q.Metadata = map[string]string{sdk.MetadataRoles: "coder,tester"} })
	s.register("b")
	s.register("c", addressable)
	s.beat("c", sdk.AgentHeartbeat{Status: sdk.AgentOffline})
	for ask, want := range map[string]bool{
		"a coder go": true, "a coder go,sql": true, "a coder rust": false, "a tester go": true, "a planner go": false, "b coder go": false,
		"c coder go": false, "d coder go": false,
	} {
		f := strings.Fields(ask)
		if got, err := s.Fits(bounded(t), "shop", f[1], f[0], strings.Split(f[2], ",")); err != nil || got != want {
			t.Errorf("%s: %v, %v", ask, got, err)
		}
	}
	s.shared.drop("shop")
	if got, err := s.Find(bounded(t), "shop", "tester", nil, nil); err != nil || got != "a" {
		t.Errorf("for its second role: %q, %v", got, err)
	}
}

func TestFewTasksOfAHeartbeatAreKept(t *testing.T) {
	t.Parallel()
	s := newServer(t, "", newClock())
	s.register("a")
	for size, want := range map[int]int{10: keptTasks, 128: keptTaskBytes / 131} {
		var tasks []string
		for i := range sdk.MaxCurrentTasks {
			tasks = append(tasks, fmt.Sprintf("%0*d", size, i))
		}
		a := s.beat("a", sdk.AgentHeartbeat{CurrentTasks: tasks})
		if d := cmp.Diff(tasks[:want], a.CurrentTasks); d != "" || a.Status != sdk.AgentBusy {
			t.Errorf("ids of %d bytes: %s", size, d)
		}
		e, err := s.alive.Get(bounded(t), aliveKey("shop", "a", beatWord))
		if b := read[beat](e.Value); err != nil || b.Count != sdk.MaxCurrentTasks || len(e.Value) > keptTaskBytes+256 {
			t.Errorf("%d tasks in %d bytes, %v", b.Count, len(e.Value), err)
		}
	}
	if a := s.register("a"); len(a.CurrentTasks) != 0 { // none of them is the new one's
		t.Errorf("registered anew it works on %q", a.CurrentTasks)
	}
	if a := s.beat("a", sdk.AgentHeartbeat{}); a.Status != sdk.AgentIdle || len(a.CurrentTasks) != 0 {
		t.Errorf("%+v", a)
	}
}

// The more agents a project has the less is kept of each heartbeat, so that all of them take a few MiB at most.
func TestHeartbeatsOfAProjectShareRoom(t *testing.T) {
	t.Parallel()
	all := 0
	for n := range sdk.MaxAgents {
		all += taskBytes(n)
	}
	if all > 3*projectTaskBytes || taskBytes(0) != keptTaskBytes || taskBytes(200) != keptTaskBytes || taskBytes(1<<20) != leastTaskBytes {
		t.Errorf("%d bytes of %d agents", all, sdk.MaxAgents)
	}
	s := newServer(t, "", newClock())
	s.register("a")
	s.shared.keep("shop", &snapshot{at: time.Now().Add(time.Hour), records: make([]record, sdk.MaxAgents)})
	var tasks []string
	for i := range keptTasks {
		tasks = append(tasks, fmt.Sprintf("%036d", i))
	}
	if a := s.beat("a", sdk.AgentHeartbeat{CurrentTasks: tasks}); a.Status != sdk.AgentBusy || len(a.CurrentTasks) != taskBytes(sdk.MaxAgents)/idBytes(tasks[0]) {
		t.Errorf("%d tasks are kept", len(a.CurrentTasks))
	}
	if a := s.beat("a", sdk.AgentHeartbeat{CurrentTasks: tasks[:13]}); len(a.CurrentTasks) != 13 {
		t.Errorf("%d tasks of 13 are kept", len(a.CurrentTasks))
	}
}

func TestNothingStaysOfAnAgentThatIsGone(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(t, "", c)
	for _, id := range []string{"a", "ab", "b"} {
		s.register(id)
		s.beat(id, sdk.AgentHeartbeat{CurrentTasks: []string{"t"}})
	}
	if err := s.Deregister(bounded(t), "shop", "a"); err != nil {
		t.Fatal(err)
	}
	s.beat("b", sdk.AgentHeartbeat{Status: sdk.AgentOffline})
	c.pass(s.cfg.Keep)
	s.look()
	left, err := s.alive.List(bounded(t), ">")
	if err != nil || len(left) != 1 || left[0].Key != "shop.ab.beat" {
		t.Errorf("there is %v left, %v", left, err)
	}
}

// TestWhoTakesAllRoomKeepsNobodyOut: neither a full bucket of heartbeats nor another project's records refuse a registration.
func TestWhoTakesAllRoomKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(t, "", c)
	s.alive = s.log.Bucket(eventlog.BucketConfig{Name: "full", MaxBytes: 4 << 10, MaxValue: 1 << 10, Memory: true})
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = s.alive.Put(bounded(t), fmt.Sprintf("bank.a%d.beat", i), []byte(strings.Repeat("x", 500)))
	}
	if err == nil {
		t.Fatal("the bucket is never full")
	}
	s.register("a")
	var tasks []string
	for i := range 30 {
		tasks = append(tasks, fmt.Sprintf("task-%020d", i))
	}
	s.look()
	for range 12 { // the heartbeats of a find no room, and it is not taken for offline
		c.pass(9 * time.Second)
		if a := s.beat("a", sdk.AgentHeartbeat{CurrentTasks: tasks}); a.Status != sdk.AgentBusy || !a.LastSeenAt.Equal(c.now()) {
			t.Errorf("a heartbeat without room: %+v", a)
		}
		s.look()
	}
	s.wantTold("a", "agent.registered", "idle>busy reported")
	s.shared.keep("shop", &snapshot{at: time.Now().Add(time.Hour), bytes: map[string]int{"b": projectBytes}})
	if _, err := s.Register(bounded(t), "shop", "acme", sdk.AgentRequest{ID: "c", Name: "c", Role: sdk.RoleCoder}); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("beyond what a project may have: %v", err)
	}
	if _, err := s.Heartbeat(bounded(t), "shop", "a", sdk.AgentHeartbeat{Metadata: map[string]string{"k": "v"}}); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("a heartbeat with new metadata: %v", err)
	}
	if _, err := s.Register(bounded(t), "bank", "vault", sdk.AgentRequest{ID: "c", Name: "c", Role: sdk.RoleCoder}); err != nil {
		t.Errorf("of another project: %v", err)
	}
}

// TestLooksThatFailNowAndThen keep nobody from being seen offline.
func TestLooksThatFailNowAndThen(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(t, "", c)
	s.register("a")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 18 {
		s.look()
		c.pass(2500 * time.Millisecond)
		if s.Look(gone) == nil {
			t.Fatal("a look that can not be made does not fail")
		}
		c.pass(2500 * time.Millisecond)
	}
	s.look()
	s.wantTold("a", "agent.registered", "idle>offline heartbeats_missed")
}

// TestWhatIsUntoldIsToldAfterAWeekToo: an agent that became offline while the log took nothing goes all the same.
func TestWhatIsUntoldIsToldAfterAWeekToo(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(t, "", c)
	s.register("a")
	rec, revision, err := s.find(bounded(t), "shop", "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rec.turn("shop", sdk.AgentOffline, reasonMissed, c.now(), c.now()), s.save(bounded(t), "shop", rec, revision)); err != nil {
		t.Fatal(err)
	}
	c.pass(s.cfg.Keep)
	s.look()
	s.look()
	s.wantTold("a", "agent.registered", "idle>offline heartbeats_missed")
	s.look()
	if _, err := s.Get(bounded(t), "shop", "a"); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestWhoAsksIsWrittenByFew(t *testing.T) {
	t.Parallel()
	a, now := newAsked(), newClock().now()
	for n := range askedWriters + 3 {
		who := caller{"shop", strconv.Itoa(n)}
		if a.take(who, now) != (n < askedWriters) || a.take(who, now) {
			t.Errorf("agent %d: not exactly the first %d are to write", n, askedWriters)
		}
	}
	for want := askedWriters + 3; ; want-- {
		if _, _, ok := a.next(); !ok {
			if want != 0 {
				t.Errorf("%d are not written", want)
			}
			break
		}
	}
	if a.writers != askedWriters-1 {
		t.Errorf("%d write after one was done", a.writers)
	}
	first, other := caller{"shop", "0"}, caller{"shop", "1"}
	if a.take(first, now.Add(askedEvery-1)) || !a.take(first, now.Add(askedEvery)) {
		t.Error("not every ten seconds")
	}
	a.forget(other)
	if a.take(other, now); len(a.pending) != 2 {
		t.Error("one that could not be written is not written the next time")
	}
	if a.sees(first, now); !a.isRegistered(first, now.Add(foundFor-1)) || a.isRegistered(first, now.Add(foundFor)) || a.isRegistered(other, now) {
		t.Error("not exactly who was found registered within a minute is known to be")
	}
	if a.forget(first); a.isRegistered(first, now) {
		t.Error("who is gone is known to be registered")
	}
}

func TestPolledSoonAfterItIsRegistered(t *testing.T) {
	t.Parallel()
	s := newServer(t, "", newClock())
	s.Polled("shop", "a")
	await(t, func() bool {
		s.asked.mu.Lock()
		defer s.asked.mu.Unlock()
		return s.asked.writers == 0
	})
	s.register("a")
	s.Polled("shop", "a")
	await(t, func() bool { return s.get("a").Polling })
}
