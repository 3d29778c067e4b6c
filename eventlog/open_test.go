package eventlog

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestALogMayBeOpenedBeforeItsServerIsThere: it is refused at once what it can not do yet, and then it can.
func TestALogMayBeOpenedBeforeItsServerIsThere(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t)
	l, err := Open(t.Context(), Config{URL: proxy.url(), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, appended := l.Append(bounded(t), "p", []sdk.Event{anEvent("a", "x.y")})
	_, read := l.Read(bounded(t), "p", Query{Limit: 1})
	for what, err := range map[string]error{"append": appended, "read": read, "ready": l.Ready(bounded(t))} {
		waited := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)
		if !errors.Is(err, sdk.ErrUnavailable) || waited {
			t.Errorf("%s: %v, after it was waited for %v", what, err, waited)
		}
	}
	proxy.leadTo(newExternal(t))
	if err := l.Await(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(bounded(t), "p", []sdk.Event{anEvent("b", "x.y")}); err != nil {
		t.Error(err)
	}
	if got := ids(t, l, "p", Query{}); len(got) != 1 || got[0] != "b" {
		t.Errorf("kept: %q", got)
	}
}

// TestOpeningWaitsForNoServer: one that takes the connection and says nothing, as a suspended one does.
func TestOpeningWaitsForNoServer(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for tries := 1; ; tries++ {
		began := time.Now()
		l, err := Open(t.Context(), Config{URL: "nats://" + silent.Addr().String(), Logger: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		opened := time.Since(began)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > patience {
			t.Errorf("opening and closing took %v", took)
		}
		if opened < callTimeout {
			return
		}
		if tries == 3 { // no machine is that slow each time
			t.Fatalf("opening took %v", opened)
		}
	}
}

func TestAServerThatListens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := StartServer(ServerConfig{Dir: dir, Addr: "127.0.0.1:0", Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	publish(t, open(t, Config{URL: s.URL()}), 1, 3)
	expect(t, follow(t, open(t, Config{URL: s.URL()}), Filter{}, After(0)), 1, 3)
	if _, err := StartServer(ServerConfig{Dir: dir, Addr: "127.0.0.1:0", Logger: quiet()}); err == nil || !strings.Contains(err.Error(), "held by another process") {
		t.Errorf("a second server in the same directory: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	publish(t, open(t, Config{Dir: dir}), 4, 5) // its files are those of an embedded log
}

func TestAServerRefusesWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1", "127.0.0.1:nats"} {
		if s, err := StartServer(ServerConfig{Dir: t.TempDir(), Addr: addr, Logger: quiet()}); err == nil {
			t.Errorf("%s was taken: %v", addr, s.Stop())
		}
	}
}

// TestAServerWhoseAddressIsTakenGivesUpAtOnce: as when another program took it after it was looked at.
func TestAServerWhoseAddressIsTakenGivesUpAtOnce(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	dir, began := t.TempDir(), time.Now()
	s, err := StartServer(ServerConfig{Dir: dir, Addr: taken.Addr().String(), Logger: quiet()})
	if err == nil {
		t.Fatalf("it listens: %v", s.Stop())
	}
	if took := time.Since(began); took >= embeddedStart || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "gave up") {
		t.Errorf("after %v: %v", took, err)
	}
	open(t, Config{Dir: dir}) // it let its directory go
}
