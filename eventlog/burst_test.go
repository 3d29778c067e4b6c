package eventlog

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestABurstIsFollowedWithoutInterruption: what comes faster than it can be given out waits, and nothing is lost on its way to those
// who follow, not even the server's word that it has sent all that was asked for.
func TestABurstIsFollowedWithoutInterruption(t *testing.T) {
	t.Parallel()
	var said lines
	l, err := Open(t.Context(), Config{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	f := follow(t, l, Filter{}, Now())
	const asked = tailPull/2 + 1 // by then as many as there is room for have been asked for again
	publish(t, l, 1, asked)
	expect(t, f, 1, asked)
	giving := &l.projects["p"].tail.mu
	giving.Lock()
	publish(t, l, asked+1, asked+2*tailPull)
	awaitDelivered(t, l, asked+tailPull)
	giving.Unlock()
	expect(t, f, asked+1, asked+2*tailPull)
	if text := said.String(); strings.Contains(text, "following the event log was interrupted") {
		t.Errorf("it warned of:\n%s", text)
	}
}

// awaitDelivered waits until the server has sent so many events to who follows.
func awaitDelivered(t *testing.T, l *Log, n uint64) {
	t.Helper()
	ctx := bounded(t)
	s, err := l.js.Stream(ctx, streamName("p"))
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for sent := uint64(0); sent < n; <-tick.C {
		consumers := s.ListConsumers(ctx)
		for c := range consumers.Info() {
			sent = c.Delivered.Consumer
		}
		if err := consumers.Err(); err != nil {
			t.Fatalf("after %d events were sent: %v", sent, err)
		}
	}
}

// lines is a log that can be written by several.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends to the log.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
