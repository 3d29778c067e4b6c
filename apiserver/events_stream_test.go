package apiserver

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

func TestStream(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(log))
	url, _ := listening(t, s)
	publish(t, s, "a.b", 1, 3)
	all := openStream(t, url+"/v1/events/stream?after=0").want(http.StatusOK)
	some := openStream(t, url+"/v1/events/stream?types=c.*,x.y&since=2020-01-01T00:00:00Z").begun()
	now := openStream(t, url+"/v1/events/stream").begun()
	resumed := openStream(t, url+"/v1/events/stream?after=0", headerLastEventID, "2").begun()
	if h := all.resp.Header; h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" || h.Get("X-Accel-Buffering") != "no" || h.Get("Content-Encoding") != "" {
		t.Errorf("headers %v", h)
	}
	heartbeat := sdk.Event{SpecVersion: "1.0", ID: "h", Source: "/agents/ann", Type: sdk.EventAgentHeartbeat, Time: time.Now()}
	if err := log.Announce(defaultScope, eventlog.Story{Kind: eventlog.KindAgent, ID: "ann"}, heartbeat); err != nil {
		t.Fatal(err)
	}
	if got := now.mustNext(); got.event != "agent.heartbeat" || got.id != "" || strings.Contains(got.data, `"sequence"`) {
		t.Errorf("not kept: %+v", got)
	}
	publish(t, s, "c.d", 4, 4)
	for i := 1; i <= 4; i++ {
		got := all.mustNext()
		if got.event == "agent.heartbeat" { // it came while this one was reading
			got = all.mustNext()
		}
		e := eventOf(t, got.data)
		if got.id != sdk.FormatSequence(uint64(i)) || e.Sequence != got.id || got.event != string(e.Type) || !strings.HasSuffix(e.ID, fmt.Sprint(i)) {
			t.Errorf("event %d: %+v", i, got)
		}
	}
	for name, st := range map[string]*streaming{"now": now, "some": some} {
		if got := st.mustNext(); got.id != sdk.FormatSequence(4) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := resumed.mustNext(); got.id != sdk.FormatSequence(3) {
		t.Errorf("resumed: %+v", got)
	}
	if w := call(s, http.MethodHead, "/v1/events/stream", ""); w.Code != http.StatusOK || w.Header().Get("Content-Type") != contentTypeSSE {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
}

// TestStreamFromNowTellsItsPlace: one who loses the connection before the first event misses none.
func TestStreamFromNowTellsItsPlace(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	url, _ := listening(t, s)
	publish(t, s, "a.b", 1, 2)
	st := openStream(t, url+"/v1/events/stream").begun()
	f, _, err := st.block()
	if err != nil || f.id != sdk.FormatSequence(2) || f.data != "" {
		t.Fatalf("%+v, %v", f, err)
	}
	st.cancel()
	publish(t, s, "a.b", 3, 3)
	if got := openStream(t, url+"/v1/events/stream", headerLastEventID, f.id).begun().mustNext(); got.id != sdk.FormatSequence(3) {
		t.Errorf("%+v", got)
	}
}

// TestStreamResumes cuts a stream 50 times at random places while others publish: every event comes once, in order.
func TestStreamResumes(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	url, _ := listening(t, s)
	const events, least = 600, 50
	published := make(chan struct{})
	go func() {
		defer close(published)
		for i := 1; i <= events; i += 20 {
			publish(t, s, "a.b", i, i+19)
		}
	}()
	last, cuts, read := "", 0, 0
	for read < events {
		headers := []string{}
		if last != "" {
			headers = []string{headerLastEventID, last}
		}
		st := openStream(t, url+"/v1/events/stream?after=0", headers...).want(http.StatusOK)
		n := events
		if cuts < least {
			n = random.IntN(events / least)
		}
		for ; n > 0 && read < events; n-- {
			f := st.mustNext()
			read++
			if e := eventOf(t, f.data); e.ID != fmt.Sprintf("a.b-%d", read) || f.id != sdk.FormatSequence(uint64(read)) {
				t.Fatalf("event %s at %s after %d cuts, want number %d", e.ID, f.id, cuts, read)
			}
			last = f.id
		}
		st.cancel()
		cuts++
	}
	<-published
	if cuts < least {
		t.Errorf("%d cuts", cuts)
	}
}

func TestStreamFaults(t *testing.T) {
	t.Parallel()
	log := openLog(t, func(c *eventlog.Config) { c.MaxBytes = 1 << 20 })
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(log))
	url, _ := listening(t, s)
	large := `{"type":"a.b","data":"` + strings.Repeat("x", 200<<10) + `"}`
	for range 8 {
		publishedFrom(t, call(s, http.MethodPost, "/v1/events", large), http.StatusCreated)
	}
	first := pageOf(t, s, "?limit=1").Items[0].Sequence
	for _, path := range []string{"/v1/events?after=0", "/v1/events/stream?after=0", "/v1/events?cursor=1"} {
		if p := openStream(t, url+path, "Accept", "*/*").want(http.StatusGone).problem(); p.Code != sdk.CodeHistoryExpired || p.FirstSequence != first {
			t.Errorf("%s: %+v, want first %s", path, p, first)
		}
	}
	for query, path := range map[string]string{
		"types=a.*.b": "query.types", "types=%3E": "query.types", "types=a%2E%2E": "query.types", "types=a%20b": "query.types", "types=": "query.types",
		"subject=" + strings.Repeat("x", 257): "query.subject", "after=x": "query.after", "after=-1": "query.after", "since=1h": "query.since", "project=bank": "query.project",
		"types=a&types=b": "query.types",
	} {
		for _, route := range []string{"/v1/events", "/v1/events/stream"} {
			p := problemOf(t, call(s, http.MethodGet, route+"?"+query, ""))
			if p.Code != sdk.CodeInvalidInput || len(p.Errors) != 1 || p.Errors[0].Path != path {
				t.Errorf("%s?%s: %+v", route, query, p)
			}
		}
	}
	for query, path := range map[string]string{"limit=0": "query.limit", "limit=201": "query.limit", "until=x": "query.until", "after=1&cursor=1": "query.cursor"} {
		if p := problemOf(t, call(s, http.MethodGet, "/v1/events?"+query, "")); len(p.Errors) != 1 || p.Errors[0].Path != path {
			t.Errorf("%s: %+v", query, p)
		}
	}
	if p := problemOf(t, call(s, http.MethodGet, "/v1/events/stream", "", headerLastEventID, "last")); p.Errors[0].Path != "header.Last-Event-ID" {
		t.Errorf("%+v", p)
	}
	if p := problemOf(t, call(s, http.MethodGet, "/v1/events/stream", "", "Accept", "application/json")); p.Code != sdk.CodeNotAcceptable {
		t.Errorf("%+v", p)
	}
}

func total(t testing.TB, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

// TestSlowReaderIsCutOff: and one who reads goes on all the while.
func TestSlowReaderIsCutOff(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	s.times.slow, s.times.cut = eventPatience, 3*time.Second // for one who does not read at all
	url, _ := listening(t, s)
	slow, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slow.Close() })
	if err := slow.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(slow, "GET /v1/events/stream?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	streams := func(n int) {
		t.Helper()
		for ctx := bounded(t); s.streams.count() != n; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("%d streams, want %d", s.streams.count(), n)
			}
		}
	}
	fast := openStream(t, url+"/v1/events/stream?after=0").begun()
	streams(2)
	read := make(chan error, 1)
	go func() { read <- fast.through("c.d") }()
	body := `[` + strings.TrimSuffix(strings.Repeat(`{"type":"a.b","data":"`+strings.Repeat("x", 200<<10)+`"},`, 4), ",") + `]`
	held := func() bool { // more than a connection holds was not sent yet, or it is not cut off yet
		over := time.NewTimer(2 * s.times.cut)
		defer over.Stop()
		for s.streams.count() == 2 {
			select {
			case <-tick.C:
			case <-over.C:
				return true
			}
		}
		return false
	}
	for parts := 0; parts < 4 && (parts == 0 || held()); parts++ {
		for range 6 { // 5 MB
			publishedFrom(t, call(s, http.MethodPost, "/v1/events", body), http.StatusCreated)
		}
	}
	streams(1)
	if cut := total(t, s.metrics.cut); cut != 1 {
		t.Errorf("%v were cut off", cut)
	}
	publish(t, s, "c.d", 1, 1)
	if err := <-read; err != nil {
		t.Error(err)
	}
}

// through reads every event up to the first of a type.
func (s *streaming) through(typ string) error {
	for n := uint64(1); ; n++ {
		f, err := s.next()
		if err != nil {
			return err
		}
		if f.id != sdk.FormatSequence(n) {
			return fmt.Errorf("%s, want %d", f.id, n)
		}
		if f.event == typ {
			return nil
		}
	}
}

func TestStreamEndsWithTheServer(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	url, stop := listening(t, s)
	publish(t, s, "a.b", 1, 2)
	st := openStream(t, url+"/v1/events/stream?after=1").begun()
	st.mustNext()
	stop()
	if got := st.mustNext(); got.event != "resume" || got.id != sdk.FormatSequence(2) || !strings.Contains(got.data, `"after":"`+got.id+`"`) {
		t.Errorf("%+v", got)
	}
	if _, err := st.next(); !errors.Is(err, io.EOF) {
		t.Errorf("%v, want the end", err)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	a.server.cfg.Events = openLog(t)
	key := a.minted(t, 0, 1).Key
	agent := caller{project: "shop", key: a.minter, attempt: &attemptClaims{Project: "shop", Task: a.task.ID, Attempt: 1}}
	var leaving []func()
	for range maxStreamsOfAnAttempt {
		leave, err := a.server.streams.enter(agent)
		if err != nil {
			t.Fatal(err)
		}
		leaving = append(leaving, leave)
	}
	for _, path := range []string{"/v1/events/stream", "/v1/tasks/" + a.task.ID + "/events"} {
		w := call(a.server, http.MethodGet, path, "", bearing(key)...)
		if p := problemOf(t, w); p.Code != sdk.CodeRateLimited || w.Header().Get("Retry-After") == "" || !strings.Contains(p.Detail, "streams") {
			t.Errorf("%s: %+v", path, p)
		}
	}
	for range maxStreamsOfAKey - maxStreamsOfAnAttempt {
		leave, err := a.server.streams.enter(caller{key: a.minter})
		if err != nil {
			t.Fatal(err)
		}
		leaving = append(leaving, leave)
	}
	if _, err := a.server.streams.enter(caller{key: a.minter}); err == nil {
		t.Error("one stream too many of a key")
	}
	for _, leave := range leaving {
		leave()
	}
	if a.server.streams.count() != 0 {
		t.Error("counted when they are over")
	}
}

// revocable is a server that listens, looks at its callers' keys often, and follows the file that it has them from; and one of the keys.
func revocable(t *testing.T) (a *atWork, url, secret, id string) {
	t.Helper()
	a = newAtWork(t)
	a.server.cfg.Events = openLog(t)
	a.server.times.heartbeat = 50 * time.Millisecond
	secret, id = a.create(t, keys.Request{Organization: "acme", Projects: []string{"shop"}})
	a.server.keys = mustOpen(t, a.path)
	url, _ = listening(t, a.server)
	return a, url, secret, id
}

// TestStreamOfAKeyThatEnds: of one that is revoked, and of an attempt's that has ended.
func TestStreamOfAKeyThatEnds(t *testing.T) {
	t.Parallel()
	a, url, secret, id := revocable(t)
	agent := openStream(t, url+"/v1/events/stream", bearing(a.minted(t, 0, 1).Key)...).begun()
	other := openStream(t, url+"/v1/events/stream", bearing(secret)...).begun()
	for range 3 {
		if _, _, err := other.block(); err != nil {
			t.Fatalf("while the key is good: %v", err)
		}
	}
	a.end(false)
	if got := agent.mustNext(); got.event != "gone" || !strings.Contains(got.data, `"code":"unauthenticated"`) {
		t.Errorf("%+v", got)
	}
	if _, err := keys.Revoke(t.Context(), a.path, id); err != nil {
		t.Fatal(err)
	}
	if got := other.mustNext(); got.event != "gone" || !strings.Contains(got.data, `"code":"unauthenticated"`) {
		t.Errorf("%+v", got)
	}
}
