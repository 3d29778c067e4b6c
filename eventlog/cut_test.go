package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// proxy stands between a log and its server. It cuts the connection after so many bytes from the server.
type proxy struct {
	net.Listener
	server atomic.Value // the address that it leads to, a string; nobody is let through while there is none
	left   atomic.Int64 // bytes until the cut; 0 for never
	cuts   atomic.Int64
	shut   atomic.Bool // lets no new connection through
}

// newProxy is one that leads nowhere yet.
func newProxy(t *testing.T) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: ln}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *proxy) url() string { return "nats://" + p.Addr().String() }

// leadTo lets new connections through to a server. One that is started again has another port: its old one may be somebody else's.
func (p *proxy) leadTo(e *external) { p.server.Store(e.Addr().String()) }

func (p *proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	address, ok := p.server.Load().(string)
	if !ok || p.shut.Load() {
		return
	}
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	buf := make([]byte, 4<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		if left := p.left.Load(); left > 0 {
			if left -= int64(n); left <= 0 {
				p.left.Store(0)
				p.cuts.Add(1)
				return
			}
			p.left.Store(left)
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// behind opens a log whose connection can be cut.
func behind(t *testing.T, server *external) (*Log, *proxy) {
	t.Helper()
	p := newProxy(t)
	p.leadTo(server)
	return open(t, Config{URL: p.url()}), p
}

func TestNoCutConnectionLosesHistory(t *testing.T) {
	t.Parallel()
	l, proxy := behind(t, newExternal(t))
	const many = 1500
	publish(t, l, 1, many)
	for _, after := range []int64{1, 700, 60 << 10, 150 << 10} {
		f := follow(t, l, Filter{}, After(0))
		expect(t, f, 1, 20)
		cuts := proxy.cuts.Load()
		proxy.left.Store(after)
		expectThrough(t, f, 21, many)
		if proxy.cuts.Load() == cuts {
			t.Errorf("the connection was not cut after %d bytes", after)
		}
		proxy.left.Store(0)
		f.Close()
	}
}

// expectThrough is expect for a log that may be away at times.
func expectThrough(t *testing.T, f *Follower, first, last uint64) {
	t.Helper()
	ctx := bounded(t)
	for want := first; want <= last; {
		r, err := f.Next(ctx)
		if errors.Is(err, sdk.ErrUnavailable) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.Sequence != want {
			t.Fatalf("got sequence %d, want %d", r.Sequence, want)
		}
		want++
	}
}

func TestNoCutConnectionLosesWhatComes(t *testing.T) {
	t.Parallel()
	l, proxy := behind(t, newExternal(t))
	f := follow(t, l, Filter{}, Now())
	const many = 30
	for n := 1; n <= many; n++ {
		proxy.left.Store(int64(100 * n))
		for { // the same event until it is acknowledged
			_, err := l.Append(bounded(t), "p", []sdk.Event{anEvent(fmt.Sprint(n), "x.y")})
			if err == nil {
				break
			}
			if !errors.Is(err, sdk.ErrUnavailable) {
				t.Fatal(err)
			}
		}
	}
	proxy.left.Store(0)
	expectThrough(t, f, 1, many)
	if proxy.cuts.Load() == 0 {
		t.Error("the connection was not cut")
	}
}

func TestALostAnswerHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	l, proxy := behind(t, newExternal(t))
	one := aTask("one")
	if err := l.AppendStory(bounded(t), "p", StoryPart{Story: one, Events: chapters(1, 1)}); err != nil {
		t.Fatal(err)
	}
	p, err := l.project("p")
	if err != nil {
		t.Fatal(err)
	}
	end, err := p.endOf(bounded(t), storySubject(keptPrefix, "p", one))
	if err != nil {
		t.Fatal(err)
	}
	before, began := proxy.cuts.Load(), time.Now()
	proxy.left.Store(1) // the next answer is lost
	lost := make(chan error, 1)
	go func() {
		lost <- p.continueStory(context.WithoutCancel(t.Context()), storySubject(keptPrefix, "p", one), end, StoryPart{Story: one, Events: chapters(2, 2)})
	}()
	until(t, func() bool { return proxy.cuts.Load() > before })
	for { // another story waits for no more than the connection
		if err = l.AppendStory(bounded(t), "p", StoryPart{Story: aTask("two"), Events: chapters(1, 1)}); err == nil {
			break
		}
		if !errors.Is(err, sdk.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if err := <-lost; err == nil {
		t.Error("the answer was not lost")
	}
	if took := time.Since(began); took > 3*callTimeout {
		t.Errorf("it took %v", took)
	}
}

func TestALogThatIsAwayAnswersAtOnceAndCloses(t *testing.T) {
	t.Parallel()
	server := newExternal(t)
	l, proxy := behind(t, server)
	publish(t, l, 1, 3)
	f := follow(t, l, Filter{}, Now())
	if err := l.js.DeleteStream(bounded(t), streamName("p")); err != nil {
		t.Fatal(err)
	}
	proxy.shut.Store(true)
	server.stop()
	until(t, func() bool { return !l.nc.IsConnected() })
	began := time.Now()
	for _, project := range []string{"p", "never-seen"} {
		for range 5 {
			if _, err := l.Append(t.Context(), project, []sdk.Event{anEvent("a", "x.y")}); !errors.Is(err, sdk.ErrUnavailable) {
				t.Errorf("append: %v", err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*callTimeout {
		t.Errorf("it took %v", took)
	}
	if _, err := f.Next(t.Context()); !errors.Is(err, sdk.ErrUnavailable) {
		t.Errorf("following a closed log: %v", err)
	}
	f.Close()
}

func TestWhatIsGoneWhileAFollowerIsAwayIsSaidToBe(t *testing.T) {
	t.Parallel()
	server := newExternal(t)
	l, proxy := behind(t, server)
	beside := open(t, Config{URL: server.ClientURL()})
	f := follow(t, l, Filter{}, Now())
	publish(t, beside, 1, 3)
	expect(t, f, 1, 3)
	proxy.shut.Store(true)
	proxy.left.Store(1)
	until(t, func() bool {
		_, _ = l.Append(bounded(t), "p", []sdk.Event{anEvent("1", "x.y")}) // a duplicate, whose answer cuts
		return !l.nc.IsConnected()
	})
	publish(t, beside, 4, 9)
	s, err := beside.js.Stream(bounded(t), streamName("p"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(bounded(t)); err != nil {
		t.Fatal(err)
	}
	proxy.shut.Store(false)
	for {
		r, err := f.Next(bounded(t))
		if errors.Is(err, sdk.ErrHistoryExpired) {
			break
		}
		if !errors.Is(err, sdk.ErrUnavailable) {
			t.Fatalf("got %+v, %v", r, err)
		}
	}
}
