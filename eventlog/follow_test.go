package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/rolecall-dev/rolecall/sdk"
)

func follow(t *testing.T, l *Log, filter Filter, from Position) *Follower {
	t.Helper()
	f, err := l.Follow(bounded(t), "p", filter, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func next(t *testing.T, f *Follower) *Record {
	t.Helper()
	r, err := f.Next(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// expect reads the sequences from first to last off a follower, and nothing between.
func expect(t *testing.T, f *Follower, first, last uint64) {
	t.Helper()
	for want := first; want <= last; want++ {
		if r := next(t, f); r.Sequence != want {
			t.Fatalf("got sequence %d, want %d", r.Sequence, want)
		}
	}
}

// publish appends numbered events, again where the log is too busy to answer in time: those that it has are not doubled.
func publish(t *testing.T, l *Log, from, to int) {
	t.Helper()
	ctx := bounded(t)
	var events []sdk.Event
	for i := from; i <= to; i++ {
		events = append(events, anEvent(fmt.Sprint(i), "x.y"))
		if len(events) < 500 && i < to {
			continue
		}
		_, err := l.Append(ctx, "p", events)
		for errors.Is(err, sdk.ErrUnavailable) && ctx.Err() == nil && l.life.Err() == nil {
			_, err = l.Append(ctx, "p", events)
		}
		if err != nil {
			t.Fatal(err)
		}
		events = nil
	}
}

func TestFollowersBeginWhereTheyAreTold(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, 10)
	now, first, after := follow(t, l, Filter{}, Now()), follow(t, l, Filter{}, First()), follow(t, l, Filter{}, After(7))
	since := follow(t, l, Filter{}, Since(time.Now().Add(-time.Hour)))
	publish(t, l, 11, 20)
	expect(t, now, 11, 20)
	expect(t, first, 1, 20)
	expect(t, after, 8, 20)
	expect(t, since, 1, 20)
}

func TestASlowFollowerHoldsNobodyUpAndMissesNothing(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	slow, fast := follow(t, l, Filter{}, Now()), follow(t, l, Filter{}, Now())
	const many = 6 * followerQueue
	for i := 1; i <= many; i += 128 {
		publish(t, l, i, i+127)
		expect(t, fast, uint64(i), uint64(i+127))
	}
	if slow.missed.Load() == 0 {
		t.Fatal("the slow follower does not lag: nothing was tried")
	}
	expect(t, slow, 1, many)
	publish(t, l, many+1, many+10)
	expect(t, slow, many+1, many+10)

	publish(t, l, 2*many, 2*many+2*followerQueue)
	expect(t, fast, many+1, many+10+2*followerQueue)
	fast.Close()
	slow.Close()
	for {
		if _, err := slow.Next(bounded(t)); err != nil {
			if !errors.Is(err, sdk.ErrUnavailable) {
				t.Errorf("a follower that was closed: %v", err)
			}
			return
		}
	}
}

func TestAFollowerOfAStorySeesNothingElse(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	story := aTask("a")
	tell := func(id string, n int) {
		if err := l.AppendStory(bounded(t), "p", StoryPart{Story: aTask(id), Events: []sdk.Event{told(n, sdk.EventTaskProgress)}}); err != nil {
			t.Fatal(err)
		}
	}
	tell("a", 1)
	tell("b", 1)
	f := follow(t, l, Filter{Story: &story}, First())
	tell("b", 2)
	tell("a", 2)
	tell("a", 3)
	for n := 1; n <= 3; n++ {
		e, err := next(t, f).Event()
		if err != nil || e.Seq != n {
			t.Fatalf("got %d, %v, want %d", e.Seq, err, n)
		}
	}
}

func TestAnnouncementsReachFollowersAndAreNotKept(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	f := follow(t, l, Filter{Types: sdk.EventPatterns{"agent.*"}}, Now())
	beat := anEvent("beat", sdk.EventAgentHeartbeat)
	if err := l.Announce("p", Story{KindAgent, "bob"}, beat); err != nil {
		t.Fatal(err)
	}
	if r := next(t, f); r.Sequence != 0 || r.Type != sdk.EventAgentHeartbeat || !bytes.Equal(r.JSON(), r.Data) {
		t.Errorf("got %+v", r)
	}
	if got := ids(t, l, "p", Query{}); len(got) != 0 {
		t.Errorf("kept: %v", got)
	}
}

func TestFollowingGoesOnAfterEachCut(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	const many = 800
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; i <= many; i += 10 {
			publish(t, l, i, i+9)
		}
	}()
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(uint64(seed), 0))
	for at := uint64(0); at < many; {
		f, err := l.Follow(bounded(t), "p", Filter{}, After(at))
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + dice.IntN(80) {
			r := next(t, f)
			if r.Sequence != at+1 {
				t.Fatalf("got %d after %d", r.Sequence, at)
			}
			if at = r.Sequence; at == many {
				break
			}
		}
		f.Close()
	}
	<-done
}

func TestNextEndsWithItsContextAndWithTheLog(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	f := follow(t, l, Filter{}, Now())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	publish(t, l, 1, 1)
	expect(t, f, 1, 1)
	ended := make(chan error)
	go func() {
		_, err := f.Next(context.WithoutCancel(ctx))
		ended <- err
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, sdk.ErrUnavailable) {
		t.Errorf("after the log's end: %v", err)
	}
}

// external is a NATS server of its own that a log connects to. It can be stopped and started again on its files, on another port.
type external struct {
	t    *testing.T
	opts *server.Options
	*server.Server
}

func newExternal(t *testing.T) *external { return newExternalOf(t, 0) }

// newExternalOf is one with so much room, in bytes; 0 is what the machine has.
func newExternalOf(t *testing.T, room int64) *external {
	t.Helper()
	e := &external{t: t, opts: &server.Options{
		Host: "127.0.0.1", NoSigs: true, JetStream: true, JetStreamMaxStore: room, StoreDir: t.TempDir(), SyncAlways: true,
	}}
	e.start()
	t.Cleanup(func() { e.stop() })
	return e
}

func (e *external) start() {
	e.t.Helper()
	e.opts.Port = server.RANDOM_PORT
	var err error
	if e.Server, err = server.NewServer(e.opts); err != nil {
		e.t.Fatal(err)
	}
	e.Start()
	if !e.ReadyForConnections(patience) {
		e.t.Fatal("NATS did not start")
	}
}

func (e *external) stop() {
	e.Shutdown()
	e.WaitForShutdown()
}

func TestAnExternalLogMayGoAndComeBack(t *testing.T) {
	t.Parallel()
	nats := newExternal(t)
	l, proxy := behind(t, nats)
	f := follow(t, l, Filter{}, Now())
	publish(t, l, 1, 10)
	expect(t, f, 1, 10)
	proxy.shut.Store(true)
	nats.stop()
	began := time.Now()
	if _, err := l.Append(bounded(t), "p", []sdk.Event{anEvent("11", "x.y")}); !errors.Is(err, sdk.ErrUnavailable) {
		t.Errorf("append while the log is away: %v", err)
	}
	t.Logf("refused after %v", time.Since(began))
	nats.start()
	proxy.leadTo(nats)
	proxy.shut.Store(false)
	for ctx := bounded(t); ; {
		_, err := l.Append(bounded(t), "p", []sdk.Event{anEvent("11", "x.y")})
		if err == nil {
			break
		}
		if !errors.Is(err, sdk.ErrUnavailable) || ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	expect(t, f, 11, 11)
	publish(t, l, 12, 20)
	expect(t, f, 12, 20)
}

// TestAFollowersPositionPassesWhatItsFilterLeavesOut, and nothing that it has not answered.
func TestAFollowersPositionPassesWhatItsFilterLeavesOut(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	all, some := follow(t, l, Filter{}, Now()), follow(t, l, Filter{Types: sdk.EventPatterns{"rare.*"}}, Now())
	story := aTask("a")
	told1 := follow(t, l, Filter{Story: &story}, Now())
	at := func(want uint64) {
		t.Helper()
		expect(t, all, want, want) // so the tail has given it out
		if a, b := some.At(), told1.At(); a != want || b != want {
			t.Errorf("at %d and %d, want %d", a, b, want)
		}
	}
	publish(t, l, 1, 1)
	at(1)
	if _, err := l.Append(bounded(t), "p", []sdk.Event{anEvent("r", "rare.one"), anEvent("x", "x.y")}); err != nil {
		t.Fatal(err)
	}
	expect(t, all, 2, 3)
	if got := some.At(); got != 1 {
		t.Errorf("at %d before the event at 2 was answered", got)
	}
	expect(t, some, 2, 2)
	if got := some.At(); got != 3 {
		t.Errorf("at %d, want 3", got)
	}
	publish(t, l, 4, 4)
	at(4)
	some.Close()
	publish(t, l, 5, 5)
	expect(t, all, 5, 5)
	if got := some.At(); got != 4 {
		t.Errorf("a follower that was closed is at %d", got)
	}
}

// TestALaggingFollowersPositionStays where it is until it has read what it missed.
func TestALaggingFollowersPositionStays(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	all, slow := follow(t, l, Filter{}, Now()), follow(t, l, Filter{}, Now())
	late := follow(t, l, Filter{Types: sdk.EventPatterns{"rare.*"}}, First())
	const many = 2 * followerQueue
	publish(t, l, 1, many)
	expect(t, all, 1, many)
	if got := slow.At(); got != 0 {
		t.Errorf("at %d before anything was answered", got)
	}
	expect(t, slow, 1, many)
	if got := slow.At(); got != many {
		t.Errorf("at %d, want %d", got, many)
	}
	if got := late.At(); got != many {
		t.Errorf("one that nothing was for is at %d, want %d", got, many)
	}
}
