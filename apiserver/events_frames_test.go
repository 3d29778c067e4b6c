package apiserver

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestEventsNamedLikeFrames are refused, and those that a log has end no follower and are not lost on the way.
func TestEventsNamedLikeFrames(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(log))
	url, _ := listening(t, s)
	var events []sdk.Event
	want := []string{"output", "resume", "gone", "error", "open", "message", "a.b"}
	for _, typ := range want {
		events = append(events, sdk.Event{SpecVersion: sdk.EventSpecVersion, ID: typ, Source: "/s", Type: sdk.EventType(typ), Time: time.Now()})
	}
	if _, err := log.Append(bounded(t), defaultScope, events); err != nil {
		t.Fatal(err)
	}
	client, err := sdk.NewClient(sdk.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for e, err := range client.Subscribe(bounded(t), sdk.EventFilter{FromStart: true}) {
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		if got = append(got, string(e.Type)); len(got) == len(want) {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	st := openStream(t, url+"/v1/events/stream?after=0").want(http.StatusOK)
	for _, typ := range want {
		name := ""
		if typ == "a.b" {
			name = typ
		}
		if f := st.mustNext(); f.event != name || string(eventOf(t, f.data).Type) != typ {
			t.Errorf("%s: %+v", typ, f)
		}
	}
}

// place reads a stream up to a position that no event has told.
func (s *streaming) place(want string) {
	s.t.Helper()
	for {
		f, _, err := s.block()
		switch {
		case err != nil:
			s.t.Fatalf("no position %s: %v", want, err)
		case f.data != "":
			s.t.Fatalf("an event: %+v", f)
		case f.id == want:
			return
		}
	}
}

// TestAQuietStreamTellsItsPlace: who waits for rare events goes on, though what was not for him is no longer kept.
func TestAQuietStreamTellsItsPlace(t *testing.T) {
	t.Parallel()
	f := newFollowed(t, func(c *eventlog.Config) { c.MaxBytes = 1 << 20 })
	f.server.times.heartbeat = 50 * time.Millisecond
	tellStory(t, f.log, "shop", f.task.ID, 1, sdk.EventTaskCreated)
	rare := openStream(t, f.url+"/v1/events/stream?types=rare.one", bearing(f.shop)...).begun()
	story, mixed := f.stream(t, "").begun(), f.stream(t, "?output=1").begun()
	for _, st := range []*streaming{story, mixed} {
		if got := st.mustNext(); got.event != "task.created" {
			t.Fatalf("%+v", got)
		}
	}
	large := `{"type":"noise.x","data":"` + strings.Repeat("x", 250<<10) + `"}`
	last := ""
	for range 8 {
		last = publishedFrom(t, call(f.server, http.MethodPost, "/v1/events", large, bearing(f.shop)...), http.StatusCreated)[0].Sequence
	}
	for _, st := range []*streaming{rare, story, mixed} {
		st.place(last)
		st.cancel()
	}
	publishedFrom(t, call(f.server, http.MethodPost, "/v1/events", `{"type":"rare.one"}`, bearing(f.shop)...), http.StatusCreated)
	again := openStream(t, f.url+"/v1/events/stream?types=rare.one", append(bearing(f.shop), headerLastEventID, last)...)
	if got := again.want(http.StatusOK).mustNext(); got.event != "rare.one" {
		t.Errorf("%+v", got)
	}
}

// TestSDKGoesOnWithRareEvents over a cut, though the log has dropped what was there when it began.
func TestSDKGoesOnWithRareEvents(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t, func(c *eventlog.Config) { c.MaxBytes = 1 << 20 })))
	s.times.heartbeat = 50 * time.Millisecond
	wire := &watched{RoundTripper: http.DefaultTransport, bodies: make(chan *watchedBody, 10)}
	client, err := sdk.NewClient(sdk.Config{URL: served(t, s), HTTPClient: &http.Client{Transport: wire}})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 10)
	unsubscribe, err := client.SubscribeFunc(t.Context(), sdk.EventFilter{Types: sdk.EventPatterns{"rare.one"}}, func(_ *sdk.Event, err error) { got <- err })
	if err != nil {
		t.Fatal(err)
	}
	defer unsubscribe()
	last := ""
	for range 8 {
		last = publishedFrom(t, call(s, http.MethodPost, "/v1/events", `{"type":"noise.x","data":"`+strings.Repeat("x", 250<<10)+`"}`), http.StatusCreated)[0].Sequence
	}
	first := <-wire.bodies
	first.saw(bounded(t), t, "id: "+last+"\n\n")
	_ = first.Close() // it is cut
	publishedFrom(t, call(s, http.MethodPost, "/v1/events", `{"type":"rare.one"}`), http.StatusCreated)
	select {
	case err := <-got:
		if err != nil {
			t.Error(err)
		}
	case <-bounded(t).Done():
		t.Error("the event did not come")
	}
}

// watched is a wire whose streams can be looked at and cut.
type watched struct {
	http.RoundTripper
	bodies chan *watchedBody
}

func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.RoundTripper.RoundTrip(r)
	if err == nil && resp.Header.Get("Content-Type") == contentTypeSSE {
		b := &watchedBody{ReadCloser: resp.Body, read: make(chan string, 1000)}
		resp.Body = b
		w.bodies <- b
	}
	return resp, err
}

// watchedBody has in read what its reader has come back for more after: that was taken.
type watchedBody struct {
	io.ReadCloser
	read chan string
	got  string
}

func (b *watchedBody) Read(p []byte) (int, error) {
	if b.got != "" {
		b.read <- b.got
	}
	n, err := b.ReadCloser.Read(p)
	b.got = string(p[:n])
	return n, err
}

// saw waits until the reader has taken a text.
func (b *watchedBody) saw(ctx context.Context, t *testing.T, text string) {
	t.Helper()
	for all := ""; !strings.Contains(all, text); {
		select {
		case part := <-b.read:
			all += part
		case <-ctx.Done():
			t.Fatalf("it did not read %q", text)
		}
	}
}
