package dev_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
)

// echo answers every line with itself until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

type line struct {
	t    *testing.T
	conn net.Conn
	read *bufio.Reader
}

func dial(t *testing.T, addr string) line {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return line{t, conn, bufio.NewReader(conn)}
}

func (l line) send(text string) {
	l.t.Helper()
	if _, err := io.WriteString(l.conn, text+"\n"); err != nil {
		l.t.Fatalf("send %q: %v", text, err)
	}
}

func (l line) receive(within time.Duration) (string, error) {
	if err := l.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	text, err := l.read.ReadString('\n')
	return text, err
}

func newProxy(t *testing.T) *dev.Proxy {
	t.Helper()
	proxy, err := dev.NewProxy(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	return proxy
}

func TestProxyPassesOn(t *testing.T) {
	t.Parallel()
	l := dial(t, newProxy(t).Addr())
	l.send("hello")
	if got, err := l.receive(5 * time.Second); got != "hello\n" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestProxyDropsSilentlyAndDeliversLater(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t)
	old := dial(t, proxy.Addr())
	old.send("before")
	if _, err := old.receive(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	proxy.Drop()
	fresh := dial(t, proxy.Addr())
	for name, l := range map[string]line{"old": old, "fresh": fresh} {
		l.send("during")
		if got, err := l.receive(100 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%s connection: got %q, %v while traffic is dropped", name, got, err)
		}
	}
	proxy.Restore()
	for name, l := range map[string]line{"old": old, "fresh": fresh} {
		if got, err := l.receive(5 * time.Second); got != "during\n" || err != nil {
			t.Fatalf("%s connection: got %q, %v after the end of the cut", name, got, err)
		}
	}
}

func TestProxyRefusesUntilRestored(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t)
	old := dial(t, proxy.Addr())
	old.send("before")
	if _, err := old.receive(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	proxy.Refuse()
	if got, err := old.receive(5 * time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("old connection: got %q, %v while connections are refused", got, err)
	}
	// A reset can be quicker than the end of the dial.
	if fresh, err := net.Dial("tcp", proxy.Addr()); err == nil {
		t.Cleanup(func() { _ = fresh.Close() })
		l := line{t, fresh, bufio.NewReader(fresh)}
		if got, err := l.receive(5 * time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("fresh connection: got %q, %v while connections are refused", got, err)
		}
	}
	proxy.Restore()
	l := dial(t, proxy.Addr())
	l.send("after")
	if got, err := l.receive(5 * time.Second); got != "after\n" || err != nil {
		t.Fatalf("got %q, %v after the end of the refusal", got, err)
	}
}
