package apiserver

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/registry"
	"github.com/rolecall-dev/rolecall/sdk"
)

// eventPatience is how long the tests of events wait for what must come.
const eventPatience = time.Minute

func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventPatience)
	t.Cleanup(cancel)
	return ctx
}

func openLog(t testing.TB, change ...func(*eventlog.Config)) *eventlog.Log {
	t.Helper()
	cfg := eventlog.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&cfg)
	}
	l, err := eventlog.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// onLog gives a server the log, and the registry of agents beside it.
func onLog(l *eventlog.Log) func(*Config) {
	return func(c *Config) {
		c.Events, c.Agents = l, registry.New(l, registry.Config{Logger: slog.New(slog.DiscardHandler)})
	}
}

// listening serves s over TCP until the test ends, or stop is called.
func listening(t testing.TB, s *Server) (url string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String(), cancel
}

// frame is one of a stream's.
type frame struct{ id, event, data string }

// streaming is a stream that a client reads.
type streaming struct {
	t      testing.TB
	resp   *http.Response
	lines  *bufio.Reader
	cancel context.CancelFunc
}

func openStream(t testing.TB, url string, headers ...string) *streaming {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventPatience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return &streaming{t: t, resp: resp, lines: bufio.NewReader(resp.Body), cancel: cancel}
}

// want fails the test unless the stream has begun.
func (s *streaming) want(status int) *streaming {
	s.t.Helper()
	if s.resp.StatusCode != status {
		body, _ := io.ReadAll(s.resp.Body)
		s.t.Fatalf("status %d, want %d: %s", s.resp.StatusCode, status, body)
	}
	return s
}

// problem is the document of a refusal.
func (s *streaming) problem() sdk.Problem {
	s.t.Helper()
	var p sdk.Problem
	if err := json.NewDecoder(s.resp.Body).Decode(&p); err != nil || p.Status != s.resp.StatusCode {
		s.t.Fatalf("status %d, %v: %+v", s.resp.StatusCode, err, p)
	}
	return p
}

// block reads up to the next blank line; comments are in it as they are.
func (s *streaming) block() (f frame, comment string, err error) {
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return f, comment, err
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "":
			if line == "" {
				return f, comment, nil
			}
			comment = value
		case "id":
			f.id = value
		case "event":
			f.event = value
		case "data":
			f.data = value
		default:
			return f, comment, fmt.Errorf("a line %q", line)
		}
	}
}

// next reads the next event; io.EOF is the stream's end.
func (s *streaming) next() (frame, error) {
	for {
		if f, _, err := s.block(); err != nil || f.data != "" {
			return f, err
		}
	}
}

func (s *streaming) mustNext() frame {
	s.t.Helper()
	f, err := s.next()
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// begun waits until the server follows: the first comment says so.
func (s *streaming) begun() *streaming {
	s.t.Helper()
	s.want(http.StatusOK)
	if _, comment, err := s.block(); err != nil || comment == "" {
		s.t.Fatalf("comment %q, %v", comment, err)
	}
	return s
}

// tellStory writes the events of a task's story from one number on.
func tellStory(t testing.TB, l *eventlog.Log, project, id string, from int, types ...sdk.EventType) {
	t.Helper()
	var events []sdk.Event
	for i, typ := range types {
		events = append(events, sdk.Event{
			SpecVersion: sdk.EventSpecVersion, ID: fmt.Sprintf("%s.%d", id, from+i), Source: "/tasks/" + id, Type: typ, Task: id, Project: project,
			Subject: "task/" + id, Time: time.Now().UTC(), Seq: from + i, Data: json.RawMessage(`{"taskId":"` + id + `"}`),
		})
	}
	err := l.AppendStory(bounded(t), project, eventlog.StoryPart{Story: eventlog.Story{Kind: eventlog.KindTask, ID: id}, Events: events})
	if err != nil {
		t.Fatal(err)
	}
}

// publish sends numbered events through the API.
func publish(t testing.TB, s *Server, typ string, from, to int, headers ...string) {
	t.Helper()
	for ; from <= to; from += 200 {
		var batch []string
		for i := from; i <= min(to, from+199); i++ {
			batch = append(batch, fmt.Sprintf(`{"type":%q,"id":"%s-%d","data":{"n":%d}}`, typ, typ, i, i))
		}
		w := call(s, http.MethodPost, "/v1/events", "["+strings.Join(batch, ",")+"]", headers...)
		if w.Code != http.StatusCreated {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}

func eventOf(t testing.TB, data string) sdk.Event {
	t.Helper()
	var e sdk.Event
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		t.Fatalf("%v in %.200s", err, data)
	}
	return e
}
