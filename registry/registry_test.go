package registry

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

const patience = 30 * time.Second

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// clock is a time that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// nats is a server that several logs can share, as the processes of an installation do.
func nats(t *testing.T) string {
	t.Helper()
	s, err := eventlog.StartServer(eventlog.ServerConfig{Dir: t.TempDir(), Addr: "127.0.0.1:0", Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

// server is one of the servers of an installation.
type server struct {
	*Registry
	t   *testing.T
	log *eventlog.Log
}

func newServer(t *testing.T, url string, c *clock) *server {
	t.Helper()
	cfg := eventlog.Config{URL: url, Logger: quiet()}
	if url == "" {
		cfg.Dir = t.TempDir()
	}
	log, err := eventlog.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := log.Await(bounded(t)); err != nil {
		t.Fatal(err)
	}
	return &server{New(log, Config{Now: c.now, Logger: quiet()}), t, log}
}

func (s *server) register(id string, change ...func(*sdk.AgentRequest)) sdk.Agent {
	s.t.Helper()
	q := sdk.AgentRequest{ID: id, Name: "Agent " + id, Role: sdk.RoleCoder, Capabilities: []string{"go", "sql"}, Metadata: map[string]string{"os": "linux"}}
	for _, c := range change {
		c(&q)
	}
	a, err := s.Register(bounded(s.t), "shop", "acme", q)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *server) beat(id string, h sdk.AgentHeartbeat) sdk.Agent {
	s.t.Helper()
	a, err := s.Heartbeat(bounded(s.t), "shop", id, h)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *server) get(id string) sdk.Agent {
	s.t.Helper()
	a, err := s.Get(bounded(s.t), "shop", id)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *server) look() {
	s.t.Helper()
	if err := s.Look(bounded(s.t)); err != nil {
		s.t.Fatal(err)
	}
}

// told are the events of an agent that the log has: the type, and of a change of status from where to where and why.
func (s *server) told(id string) (list []string) {
	s.t.Helper()
	page, err := s.log.Read(bounded(s.t), "shop", eventlog.Query{Filter: eventlog.Filter{Story: new(story(id))}, Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	for i, r := range page.Records {
		e, err := r.Event()
		if err != nil {
			s.t.Fatal(err)
		}
		if e.Seq != i+1 || e.Agent != id || e.Project != "shop" || e.Organization != "acme" || e.Subject != "agent/"+id || e.ID == "" {
			s.t.Errorf("event %d: %+v", i+1, e)
		}
		text := string(e.Type)
		if e.Type == sdk.EventAgentStatusChanged {
			var d sdk.AgentStatusChanged
			if err := json.Unmarshal(e.Data, &d); err != nil {
				s.t.Fatal(err)
			}
			text = string(d.From) + ">" + string(d.To) + " " + d.Reason
		}
		list = append(list, text)
	}
	return list
}

func (s *server) wantTold(id string, want ...string) {
	s.t.Helper()
	if got := s.told(id); !slices.Equal(got, want) {
		s.t.Errorf("the log was told %q, want %q", got, want)
	}
}

func TestRegisterHeartbeatDeregister(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(t, "", c)
	begin := c.now()
	want := sdk.Agent{
		ID: "a", Name: "Agent a", Role: "coder", Capabilities: []string{"go", "sql"}, Slots: 1, Status: "idle", CurrentTasks: []string{},
		Metadata: map[string]string{"os": "linux"}, RegisteredAt: begin, LastSeenAt: begin, HeartbeatIntervalMs: 30_000,
	}
	if d := cmp.Diff(want, s.register("a")); d != "" {
		t.Error(d)
	}
	c.pass(10 * time.Second)
	want.Status, want.CurrentTasks, want.LastSeenAt = sdk.AgentBusy, []string{"t1", "t2"}, c.now()
	if d := cmp.Diff(want, s.beat("a", sdk.AgentHeartbeat{CurrentTasks: []string{"t1", "t2"}})); d != "" {
		t.Error(d)
	}
	c.pass(10 * time.Second)
	want.LastSeenAt, want.Metadata = c.now(), map[string]string{"os": "plan9"}
	if d := cmp.Diff(want, s.beat("a", sdk.AgentHeartbeat{Metadata: want.Metadata})); d != "" { // of status and tasks nothing is said
		t.Error(d)
	}
	if d := cmp.Diff(want, s.get("a")); d != "" {
		t.Error(d)
	}
	want.Status, want.CurrentTasks = sdk.AgentIdle, []string{}
	if d := cmp.Diff(want, s.beat("a", sdk.AgentHeartbeat{CurrentTasks: []string{}})); d != "" {
		t.Error(d)
	}
	if a := s.beat("a", sdk.AgentHeartbeat{Status: sdk.AgentOffline}); a.Status != sdk.AgentOffline {
		t.Errorf("one that says it is offline is %s", a.Status)
	}
	again := s.register("a", func(q *sdk.AgentRequest) { q.Name, q.Slots, q.Addressable, q.Capabilities = "New", 3, true, nil })
	if again.Name != "New" || again.Slots != 3 || !again.Addressable || len(again.Capabilities) != 0 || again.Status != sdk.AgentIdle {
		t.Errorf("registered anew it is %+v", again)
	}
	if err := s.Deregister(bounded(t), "shop", "a"); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"get": second(s.Get(bounded(t), "shop", "a")), "heartbeat": second(s.Heartbeat(bounded(t), "shop", "a", sdk.AgentHeartbeat{})),
		"deregister": s.Deregister(bounded(t), "shop", "a"), "of another project": second(s.Get(bounded(t), "bank", "a")),
	} {
		if !errors.Is(err, sdk.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.register("a")
	s.wantTold("a", "agent.registered", "idle>busy reported", "busy>idle reported", "idle>offline reported", "agent.registered", "offline>idle registered",
		"idle>offline deregistered", "agent.registered")
}

func second[T any](_ T, err error) error { return err }

func TestThreeMissedHeartbeatsAreOfflineOnceOnTwoServers(t *testing.T) {
	t.Parallel()
	url, c := nats(t), newClock()
	one, two := newServer(t, url, c), newServer(t, url, c)
	const agents = 20
	var ids []string
	for i := range agents {
		id := string(rune('a' + i))
		ids = append(ids, id)
		one.register(id)
	}
	one.look()
	two.look()
	for range 2 { // a heartbeat by either server counts for both
		c.pass(9 * time.Second)
		one.look()
		two.look()
	}
	for _, id := range ids {
		two.beat(id, sdk.AgentHeartbeat{})
	}
	for range 9 {
		one.look()
		two.look()
		c.pass(9 * time.Second)
	}
	one.look() // 81 s after the heartbeat
	two.look()
	for _, id := range ids {
		if a := one.get(id); a.Status != sdk.AgentIdle {
			t.Fatalf("%s is %s before three intervals have passed", id, a.Status)
		}
	}
	c.pass(9 * time.Second)
	var both sync.WaitGroup
	for _, s := range []*server{one, two} {
		both.Go(func() {
			if err := s.Look(bounded(t)); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	c.pass(9 * time.Second)
	one.look()
	two.look()
	for _, id := range ids {
		if a := two.get(id); a.Status != sdk.AgentOffline || len(a.CurrentTasks) != 0 {
			t.Errorf("%s is %+v", id, a)
		}
		one.wantTold(id, "agent.registered", "idle>offline heartbeats_missed")
	}
	if a := one.beat("a", sdk.AgentHeartbeat{CurrentTasks: []string{"t"}}); a.Status != sdk.AgentBusy {
		t.Errorf("back again it is %s", a.Status)
	}
	one.wantTold("a", "agent.registered", "idle>offline heartbeats_missed", "offline>busy reported")
}

func TestARestartMakesNobodyOffline(t *testing.T) {
	t.Parallel()
	url, c := nats(t), newClock()
	one := newServer(t, url, c)
	one.register("a")
	one.look()
	c.pass(time.Hour) // all servers are away, and with them the heartbeats
	two := newServer(t, url, c)
	for range 9 {
		two.look()
		if a := two.get("a"); a.Status != sdk.AgentIdle {
			t.Fatalf("a restart made it %s", a.Status)
		}
		c.pass(9 * time.Second)
	}
	one.look() // it stood still for an hour
	two.look()
	if a := two.get("a"); a.Status != sdk.AgentIdle {
		t.Fatalf("one that stood still made it %s", a.Status)
	}
	c.pass(9 * time.Second)
	two.look()
	two.wantTold("a", "agent.registered", "idle>offline heartbeats_missed")
}

// TestWhoeverIsLeftTells: the server that noticed dies before it has told the log.
func TestWhoeverIsLeftTells(t *testing.T) {
	t.Parallel()
	url, c := nats(t), newClock()
	s := newServer(t, url, c)
	s.register("a")
	rec, revision, err := s.find(bounded(t), "shop", "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rec.turn("shop", sdk.AgentOffline, reasonMissed, c.now(), c.now()), s.save(bounded(t), "shop", rec, revision)); err != nil {
		t.Fatal(err)
	}
	s.wantTold("a", "agent.registered")
	two := newServer(t, url, c)
	two.look() // it may be on its way
	two.wantTold("a", "agent.registered")
	two.look()
	s.look()
	s.look()
	s.wantTold("a", "agent.registered", "idle>offline heartbeats_missed")
	if rec, _, err = s.find(bounded(t), "shop", "a"); err != nil || len(rec.Untold) != 0 || rec.Told != 2 {
		t.Errorf("%+v, %v", rec, err)
	}
}

// TestToldByTwo: both tell the same, and one of them is slow.
func TestToldByTwo(t *testing.T) {
	t.Parallel()
	url, c := nats(t), newClock()
	one, two := newServer(t, url, c), newServer(t, url, c)
	one.register("a")
	rec, revision, err := one.find(bounded(t), "shop", "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rec.turn("shop", sdk.AgentBusy, reasonReported, c.now(), c.now()), one.save(bounded(t), "shop", rec, revision)); err != nil {
		t.Fatal(err)
	}
	two.beat("a", sdk.AgentHeartbeat{Status: sdk.AgentIdle}) // tells that first
	one.settle(t.Context(), "shop", rec)
	one.beat("a", sdk.AgentHeartbeat{Status: sdk.AgentOffline})
	one.wantTold("a", "agent.registered", "idle>busy reported", "busy>idle reported", "idle>offline reported")
}

func TestAnOfflineAgentIsRemovedAfterAWeek(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(t, "", c)
	s.register("a")
	s.register("b")
	s.beat("a", sdk.AgentHeartbeat{Status: sdk.AgentOffline})
	c.pass(7*24*time.Hour - time.Second)
	s.beat("b", sdk.AgentHeartbeat{})
	s.look()
	s.get("a")
	c.pass(time.Second)
	s.look()
	if _, err := s.Get(bounded(t), "shop", "a"); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("after a week: %v", err)
	}
	s.get("b")
	s.register("a")
	s.wantTold("a", "agent.registered", "idle>offline reported", "agent.registered")
}

func TestListAndFind(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(t, "", c)
	s.register("c", addressable)
	s.register("a", addressable, func(q *sdk.AgentRequest) { q.Capabilities = []string{"go", "sql", "rust"} })
	s.register("b")
	s.register("d", addressable, func(q *sdk.AgentRequest) { q.Role = sdk.RoleTester })
	s.register("e", addressable)
	if _, err := s.Register(bounded(t), "bank", "vault", sdk.AgentRequest{ID: "z", Name: "z", Role: sdk.RoleCoder, Addressable: true}); err != nil {
		t.Fatal(err)
	}
	s.beat("a", sdk.AgentHeartbeat{CurrentTasks: []string{"t1"}})
	s.beat("e", sdk.AgentHeartbeat{Status: sdk.AgentOffline})
	s.shared.drop("shop")
	list, err := s.List(bounded(t), "shop")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range list {
		got = append(got, a.ID+" "+string(a.Status))
		if d := cmp.Diff(s.get(a.ID), a); d != "" {
			t.Error(d)
		}
	}
	if want := []string{"a busy", "b idle", "c idle", "d idle", "e offline"}; !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	for name, test := range map[string]struct {
		role                 string
		capabilities, except []string
		want                 string
	}{
		"one that is free":      {"coder", []string{"go"}, nil, "c"},
		"busy all the same":     {"coder", []string{"rust"}, nil, "a"},
		"another":               {"coder", []string{"go"}, []string{"c"}, "a"},
		"nobody else":           {"coder", nil, []string{"c", "a"}, ""},
		"nobody who has it all": {"coder", []string{"go", "cobol"}, nil, ""},
		"role":                  {"tester", nil, nil, "d"},
		"nobody of the role":    {"planner", nil, nil, ""},
	} {
		if got, err := s.Find(bounded(t), "shop", test.role, test.capabilities, test.except); err != nil || got != test.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
	}
}

func TestPolled(t *testing.T) {
	t.Parallel()
	url, c := nats(t), newClock()
	one, two := newServer(t, url, c), newServer(t, url, c)
	one.register("a")
	one.Polled("shop", "nobody")
	one.Polled("shop", "a")
	await(t, func() bool { return two.get("a").Polling })
	c.pass(91 * time.Second)
	if two.get("a").Polling {
		t.Error("it polled 91 s ago")
	}
	one.Polled("shop", "a")
	await(t, func() bool { return two.get("a").Polling })
}

// await waits until something is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	ctx := bounded(t)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			t.Fatal("it did not come about")
		case <-again.C:
		}
	}
}

func TestHeartbeatsReachFollowersAndAreNotKept(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(t, "", c)
	s.register("a")
	f, err := s.log.Follow(bounded(t), "shop", eventlog.Filter{Types: sdk.EventPatterns{sdk.EventPattern(sdk.EventAgentHeartbeat)}}, eventlog.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s.beat("a", sdk.AgentHeartbeat{})
	r, err := f.Next(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	var got sdk.AgentSeen
	if e, err := r.Event(); err != nil || json.Unmarshal(e.Data, &got) != nil || got.AgentID != "a" || got.Status != sdk.AgentIdle {
		t.Errorf("%+v, %v", e, err)
	}
	s.wantTold("a", "agent.registered")
}

// TestRunNotices is Run on the machine's clock, with two servers of which one ends.
func TestRunNotices(t *testing.T) {
	t.Parallel()
	url := nats(t)
	machine := newServer(t, url, newClock())
	cfg := Config{Interval: time.Second, Logger: quiet()}
	one, two := New(machine.log, cfg), New(newServer(t, url, newClock()).log, cfg)
	first, end := context.WithCancel(t.Context())
	var runs sync.WaitGroup
	defer runs.Wait()
	all, stop := context.WithCancel(t.Context())
	defer stop()
	runs.Go(func() { one.Run(first) })
	runs.Go(func() { two.Run(all) })
	if _, err := one.Register(bounded(t), "shop", "acme", sdk.AgentRequest{ID: "a", Name: "a", Role: sdk.RoleCoder}); err != nil {
		t.Fatal(err)
	}
	end()
	await(t, func() bool { return len(machine.told("a")) > 1 })
	if a := machine.get("a"); a.Status != sdk.AgentOffline {
		t.Errorf("it is %s", a.Status)
	}
	machine.wantTold("a", "agent.registered", "idle>offline heartbeats_missed")
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for d, ok := range map[time.Duration]bool{0: true, time.Second: true, time.Hour: true, time.Millisecond: false, 2 * time.Hour: false, -1: false} {
		if err := (Config{Interval: d}).Validate(); (err == nil) != ok {
			t.Errorf("%s: %v", d, err)
		}
	}
}
