package apiserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// lagging is a reader who is so slow over every burst that there is something for the next one when it has been sent.
type lagging struct {
	t         *testing.T
	log       *eventlog.Log
	beside    *eventlog.Follower // is given an event after the stream's follower was given the one before
	meanwhile func(burst int)

	bursts int
	sent   strings.Builder
}

// mostBursts are what a reader takes who is told nothing.
const mostBursts = 500

func (l *lagging) Header() http.Header { return http.Header{} }

func (l *lagging) WriteHeader(int) {}

func (l *lagging) Flush() {}

func (l *lagging) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	l.sent.Write(p)
	if l.bursts++; l.bursts >= mostBursts {
		return 0, errors.New("the reader has gone")
	}
	l.meanwhile(l.bursts)
	l.happens()
	return len(p), nil
}

// happens writes two events, and answers when the stream's follower has the first.
func (l *lagging) happens() {
	l.t.Helper()
	events := make([]sdk.Event, 2)
	for i := range events {
		events[i] = sdk.Event{SpecVersion: "1.0", ID: fmt.Sprintf("%d.%d", l.bursts, i), Source: "/s", Type: "a.b", Time: time.Now()}
	}
	if _, err := l.log.Append(bounded(l.t), defaultScope, events); err != nil {
		l.t.Error(err)
	}
	for range events {
		if _, err := l.beside.Next(bounded(l.t)); err != nil {
			l.t.Error(err)
		}
	}
}

// TestAStreamThatIsNeverQuietEnds: also while its reader always lags behind.
func TestAStreamThatIsNeverQuietEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		heartbeat time.Duration
		end       func(s *Server, gone func())
		sent      string
		bursts    int // 0 is for any number
	}{
		"the key was revoked":    {time.Nanosecond, func(*Server, func()) {}, `"code":"unauthenticated"`, 0},
		"the server stops":       {time.Hour, func(s *Server, _ func()) { s.drain() }, "event: resume\n", 0},
		"the connection is gone": {time.Hour, func(_ *Server, gone func()) { gone() }, "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := openLog(t)
			s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(log))
			s.times.heartbeat = tc.heartbeat
			ctx, gone := context.WithCancel(t.Context())
			defer gone()
			l := &lagging{t: t, log: log, meanwhile: func(burst int) {
				if burst == 3 {
					tc.end(s, gone)
				}
			}}
			l.beside = followAll(t, log)
			st := &stream{server: s, out: newSSE(l, s.times), feed: eventFeed{followAll(t, log)}}
			st.may = func(context.Context) *sdk.Error { return sdk.Errorf(sdk.CodeUnauthenticated, "revoked") }
			l.happens()
			st.run(ctx)
			if !strings.Contains(l.sent.String(), tc.sent) || l.bursts >= mostBursts || tc.bursts > 0 && l.bursts != tc.bursts {
				t.Errorf("after %d bursts, of which the last is %q", l.bursts, l.sent.String()[max(0, l.sent.Len()-200):])
			}
		})
	}
}

func followAll(t *testing.T, l *eventlog.Log) *eventlog.Follower {
	t.Helper()
	f, err := l.Follow(bounded(t), defaultScope, eventlog.Filter{}, eventlog.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}
