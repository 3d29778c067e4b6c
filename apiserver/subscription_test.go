package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// receiver calls the subscription work of a server.
type receiver struct {
	t       testing.TB
	server  *Server
	headers []string
}

func newReceiver(t testing.TB) receiver {
	t.Helper()
	return receiver{t: t, server: newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))}
}

// publish appends events of the type x.y, numbered in their data.
func (r receiver) publish(project string, from, to int) {
	r.t.Helper()
	var events []sdk.Event
	for i := from; i <= to; i++ {
		events = append(events, sdk.Event{
			SpecVersion: sdk.EventSpecVersion, ID: fmt.Sprint(i), Source: "key/test", Type: "x.y", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i)),
		})
	}
	if _, err := r.server.cfg.Events.Append(r.t.Context(), project, events); err != nil {
		r.t.Fatal(err)
	}
}

// ask sends a request about a subscription and reads its answer.
func (r receiver) ask(method, path, body string, want int, into any) {
	r.t.Helper()
	w := call(r.server, method, "/v1/subscriptions"+path, body, r.headers...)
	if w.Code != want {
		r.t.Fatalf("%s %s %s: %d, want %d: %s", method, path, body, w.Code, want, w.Body)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		r.t.Fatal(err)
	}
}

func (r receiver) put(body string, want int) (s sdk.Subscription) {
	r.t.Helper()
	r.ask(http.MethodPut, "/jobs", body, want, &s)
	return s
}

func (r receiver) get() (s sdk.Subscription) {
	r.t.Helper()
	r.ask(http.MethodGet, "/jobs", "", http.StatusOK, &s)
	return s
}

func (r receiver) pull(most int, wait time.Duration) []sdk.Delivery {
	r.t.Helper()
	var list sdk.DeliveryList
	r.ask(http.MethodPost, "/jobs/pull", fmt.Sprintf(`{"max":%d,"waitMs":%d}`, most, wait.Milliseconds()), http.StatusOK, &list)
	return list.Items
}

// pulled pulls until something comes.
func (r receiver) pulled(most int) []sdk.Delivery {
	r.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		if list := r.pull(most, time.Second); len(list) > 0 {
			return list
		}
	}
	r.t.Fatal("nothing comes")
	return nil
}

func (r receiver) settle(verb string, acks ...string) []sdk.Settled {
	r.t.Helper()
	body, err := json.Marshal(sdk.AckRequest{Acks: acks})
	if err != nil {
		r.t.Fatal(err)
	}
	var list sdk.SettledList
	r.ask(http.MethodPost, "/jobs/"+verb, string(body), http.StatusOK, &list)
	if len(list.Items) != len(acks) {
		r.t.Fatalf("%d acks, %d answers", len(acks), len(list.Items))
	}
	return list.Items
}

func TestSubscriptionIsMadeReadChangedAndEnded(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.ask(http.MethodGet, "/jobs", "", http.StatusNotFound, nil)
	made := r.put("", http.StatusCreated)
	if made.Name != "jobs" || made.From != "now" || made.MaxDeliveries != 10 || made.AckWaitMs != 30_000 || made.Types == nil || made.CreatedAt.IsZero() {
		t.Errorf("with the defaults: %+v", made)
	}
	r.ask(http.MethodDelete, "/jobs", "", http.StatusNoContent, nil)
	r.ask(http.MethodDelete, "/jobs", "", http.StatusNotFound, nil)
	r.put(`{"types":["code.*","x.y","code.*"],"from":"beginning","maxDeliveries":3,"ackWaitMs":1000}`, http.StatusCreated)
	changed := r.put(`{"types":["x.y"]}`, http.StatusOK)
	if changed.From != "beginning" || len(changed.Types) != 1 || changed.MaxDeliveries != 10 {
		t.Errorf("changed: %+v", changed)
	}
	p := problemOf(t, call(r.server, http.MethodPut, "/v1/subscriptions/jobs", `{"from":"now"}`))
	if p.Code != sdk.CodeConflict || !strings.Contains(p.Detail, "beginning") {
		t.Errorf("from elsewhere: %+v", p)
	}
	r.publish("default", 1, 3)
	r.pull(1, 0)
	if got := r.get(); got.Pending != 2 || got.Unacked != 1 {
		t.Errorf("the subscription: %+v", got)
	}
	var all sdk.SubscriptionList
	r.ask(http.MethodPut, "/audit", `{}`, http.StatusCreated, nil)
	r.ask(http.MethodGet, "", "", http.StatusOK, &all)
	if len(all.Items) != 2 || all.Items[0].Name != "audit" || all.Items[1].Name != "jobs" {
		t.Errorf("the list: %+v", all)
	}
	for i := range eventlog.MaxSubscriptions - 2 {
		r.ask(http.MethodPut, fmt.Sprintf("/more-%d", i), `{}`, http.StatusCreated, nil)
	}
	if p := problemOf(t, call(r.server, http.MethodPut, "/v1/subscriptions/one-more", `{}`)); p.Code != sdk.CodeConflict || !strings.Contains(p.Detail, "100") {
		t.Errorf("one too many: %+v", p)
	}
	r.headers = []string{headerProject, "other"}
	r.ask(http.MethodGet, "", "", http.StatusOK, &all)
	if len(all.Items) != 0 {
		t.Errorf("another project's: %+v", all)
	}
}

func TestSubscriptionRefusals(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	many := `"` + strings.Repeat(`x.y","`, sdk.MaxEventPatterns) + `x.y"`
	for name, tc := range map[string]struct {
		method, path, body string
		faults             []string
	}{
		"everything at once": {
			http.MethodPut, "/a.b?limit=1", `{"types":["x","X.Y","",7],"from":"yesterday","maxDeliveries":1001,"ackWaitMs":999,"more":1}`,
			[]string{"$.more", "$.types[3]", "path.name", "query.limit", "$.types[1]", "$.types[2]", "$.from", "$.maxDeliveries", "$.ackWaitMs"},
		},
		"too many patterns":  {http.MethodPut, "/a", `{"types":[` + many + `]}`, []string{"$.types"}},
		"too long":           {http.MethodPut, "/a", `{"ackWaitMs":43200001,"maxDeliveries":-1}`, []string{"$.maxDeliveries", "$.ackWaitMs"}},
		"a pull":             {http.MethodPost, "/a*/pull?x=1", `{"max":101,"waitMs":60001}`, []string{"path.name", "query.x", "$.max", "$.waitMs"}},
		"a negative pull":    {http.MethodPost, "/a/pull", `{"max":-1,"waitMs":-1}`, []string{"$.max", "$.waitMs"}},
		"no acks":            {http.MethodPost, "/a/ack", `{"acks":[]}`, []string{"$.acks"}},
		"an ack with a wait": {http.MethodPost, "/a/ack", `{"acks":["x"],"delayMs":1}`, []string{"$.delayMs"}},
		"too many acks":      {http.MethodPost, "/a/nack", `{"acks":["` + strings.Repeat(`x","`, 100) + `x"],"delayMs":43200001}`, []string{"$.acks", "$.delayMs"}},
		"dead":               {http.MethodGet, "/a%20b/dead?limit=1", "", []string{"path.name", "query.limit"}},
	} {
		p := problemOf(t, call(s, tc.method, "/v1/subscriptions"+tc.path, tc.body))
		var got []string
		for _, f := range p.Errors {
			got = append(got, f.Path)
		}
		if p.Code != sdk.CodeInvalidInput || strings.Join(got, " ") != strings.Join(tc.faults, " ") {
			t.Errorf("%s: %s %v, want %v", name, p.Code, got, tc.faults)
		}
	}
	p := problemOf(t, call(s, http.MethodPost, "/v1/subscriptions/a/pull", ""))
	if p.Code != sdk.CodeUnavailable || !strings.Contains(p.Detail, "no event log") {
		t.Errorf("a server without a log: %+v", p)
	}
	if p := problemOf(t, call(newReceiver(t).server, http.MethodPost, "/v1/subscriptions/none/ack", `{"acks":["x"]}`)); p.Code != sdk.CodeNotFound {
		t.Errorf("no such subscription: %+v", p)
	}
}

// TestAckIsOfItsSubscriptionOnly: what is no ack of a subscription is a fault of that item, and harms no other.
func TestAckIsOfItsSubscriptionOnly(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	foreign := r
	foreign.headers = []string{headerProject, "other"}
	var other sdk.DeliveryList
	for _, one := range []receiver{r, foreign} {
		one.put(`{"from":"beginning"}`, http.StatusCreated)
	}
	r.ask(http.MethodPut, "/other", `{"from":"beginning"}`, http.StatusCreated, nil)
	r.publish("default", 1, 2)
	r.publish("other", 1, 1)
	mine, theirs := r.pulled(2), foreign.pulled(1)
	r.ask(http.MethodPost, "/other/pull", `{"waitMs":10000}`, http.StatusOK, &other)
	acks := []string{mine[0].Ack, "garbage", theirs[0].Ack, other.Items[0].Ack, mine[0].Ack + "A", "", mine[0].Ack}
	for i, got := range r.settle("ack", acks...) {
		ours := i == 0 || i == len(acks)-1
		if got.Ack != acks[i] || got.Stale || (got.Error == nil) != ours {
			t.Errorf("ack %d: %+v", i, got)
		}
		if !ours && got.Error != nil && got.Error.Path != fmt.Sprintf("$.acks[%d]", i) {
			t.Errorf("ack %d: %+v", i, *got.Error)
		}
	}
	if got := r.get(); got.Unacked != 1 || got.Pending != 0 {
		t.Errorf("after the acks: %+v", got)
	}
	if again := r.settle("ack", mine[0].Ack)[0]; again.Stale || again.Error != nil {
		t.Errorf("acknowledged again: %+v", again)
	}
	if got := foreign.get(); got.Unacked != 1 {
		t.Errorf("the other project's: %+v", got)
	}
}

func TestEventsAreGivenBackAndExtended(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.put(`{"from":"beginning","ackWaitMs":1000}`, http.StatusCreated)
	r.publish("default", 1, 1)
	first := r.pulled(1)[0]
	if first.Deliveries != 1 || string(first.Event.Data) != `{"n":1}` || first.Event.Sequence != sdk.FormatSequence(1) {
		t.Errorf("given out: %+v", first)
	}
	more := r.settle("extend", first.Ack)[0]
	if more.Stale || more.Error != nil || more.Ack == first.Ack {
		t.Errorf("extended: %+v", more)
	}
	if back := r.settle("nack", more.Ack)[0]; back.Stale || back.Error != nil {
		t.Errorf("given back: %+v", back)
	}
	second := r.pulled(1)[0]
	if second.Deliveries != 2 {
		t.Errorf("given out again: %+v", second)
	}
	for i, late := range r.settle("ack", first.Ack, more.Ack) {
		if !late.Stale || late.Error != nil {
			t.Errorf("ack %d of what was given back: %+v", i, late)
		}
	}
	third := r.pulled(1)[0] // the second receiver was too slow
	if late := r.settle("ack", second.Ack)[0]; !late.Stale {
		t.Errorf("an ack that came too late: %+v", late)
	}
	if got := r.get(); got.Unacked != 1 {
		t.Errorf("the third receiver's event: %+v", got)
	}
	if third.Deliveries != 3 {
		t.Errorf("given out once more: %+v", third)
	}
}

func TestPoisonousEventEndsAmongTheDead(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.put(`{"from":"beginning","maxDeliveries":2}`, http.StatusCreated)
	r.publish("default", 1, 201)
	deadline := time.Now().Add(60 * time.Second)
	dead := func(cursor string) (page sdk.DeadEventPage) {
		path := "/jobs/dead"
		if cursor != "" {
			path += "?cursor=" + cursor
		}
		r.ask(http.MethodGet, path, "", http.StatusOK, &page)
		return page
	}
	for r.get().Unacked+int(r.get().Pending) > 0 && time.Now().Before(deadline) {
		var acks []string
		for _, d := range r.pull(100, 0) {
			acks = append(acks, d.Ack)
		}
		if len(acks) > 0 {
			r.settle("nack", acks...)
		}
	}
	first := dead("")
	if len(first.Items) != 200 || first.NextCursor == "" {
		t.Fatalf("%d dead, the cursor is %q", len(first.Items), first.NextCursor)
	}
	if d := first.Items[0]; d.Deliveries != 2 || d.Event.Type != "x.y" || d.At.IsZero() || d.Event.Sequence == "" {
		t.Errorf("the first: %+v", d)
	}
	rest := dead(first.NextCursor)
	if len(rest.Items) != 1 || rest.NextCursor != "" {
		t.Errorf("the rest: %+v", rest)
	}
	seen := map[string]bool{}
	for _, d := range append(first.Items, rest.Items...) {
		seen[d.Event.ID] = true
	}
	if len(seen) != 201 {
		t.Errorf("%d different events are dead", len(seen))
	}
	for _, cursor := range []string{"1", "", first.NextCursor + "A"} {
		if p := problemOf(t, call(r.server, http.MethodGet, "/v1/subscriptions/jobs/dead?cursor="+cursor, "")); p.Code != sdk.CodeInvalidInput {
			t.Errorf("the cursor %q: %+v", cursor, p)
		}
	}
	r.ask(http.MethodPut, "/other", `{}`, http.StatusCreated, nil)
	if p := problemOf(t, call(r.server, http.MethodGet, "/v1/subscriptions/other/dead?cursor="+first.NextCursor, "")); p.Code != sdk.CodeInvalidInput {
		t.Errorf("another subscription's cursor: %+v", p)
	}
}

// TestAcksOutliveTheServer: a server that starts anew takes the acks that the one before gave out, with keys and without.
func TestAcksOutliveTheServer(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	for name, keyed := range map[string]bool{"with keys": true, "without": false} {
		dir, log := t.TempDir(), onLog(openLog(t))
		var logs bytes.Buffer
		start := func() receiver {
			stays := func(c *Config) { c.DataDir = dir }
			if keyed {
				return receiver{t, ring.server(t, newMemoryTasks(), &logs, log, stays), bearing(ring.shop)}
			}
			return receiver{t: t, server: newTestServer(t, newMemoryTasks(), &logs, log, stays)}
		}
		project := map[bool]string{true: "shop", false: "default"}[keyed]
		before := start()
		before.put(`{"from":"beginning"}`, http.StatusCreated)
		before.publish(project, 1, 1)
		given := before.pulled(1)[0]
		after := start()
		if got := after.settle("ack", given.Ack)[0]; got.Stale || got.Error != nil {
			t.Errorf("%s: %+v", name, got)
		}
		if got := after.get(); got.Unacked != 0 {
			t.Errorf("%s: %+v", name, got)
		}
		if strings.Contains(logs.String(), given.Ack) {
			t.Errorf("%s: the log has an ack", name)
		}
		foreign := receiver{t: t, server: newTestServer(t, newMemoryTasks(), io.Discard, log)} // with a ring of its own
		if !keyed {
			if got := foreign.settle("ack", given.Ack)[0]; got.Error == nil {
				t.Errorf("%s: a server with other sealing keys takes the ack: %+v", name, got)
			}
		}
	}
}

// TestPullIsAnsweredWhenTheServerStops, and its place among those that wait is free again.
func TestPullIsAnsweredWhenTheServerStops(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.put(`{}`, http.StatusCreated)
	answer := make(chan []sdk.Delivery)
	go func() { answer <- r.pull(1, time.Minute) }()
	waitingIs(t, r.server, 1)
	r.server.drain()
	if list := <-answer; len(list) != 0 {
		t.Errorf("answered: %+v", list)
	}
	waitingIs(t, r.server, 0)
}

func waitingIs(t testing.TB, s *Server, want int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.waits.count() != want {
		if <-tick.C; time.Now().After(deadline) {
			t.Fatalf("%d requests wait, want %d", s.waits.count(), want)
		}
	}
}

// TestPullOfOneWhoHasGone: the event that comes then is given to the next, and as the first time.
func TestPullOfOneWhoHasGone(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.put(`{"ackWaitMs":43200000}`, http.StatusCreated)
	ctx, leave := context.WithCancel(withCaller(t.Context(), caller{project: "default", organization: "default"}))
	gone := make(chan error)
	go func() {
		_, err := r.server.pull(ctx, pulling{name: "jobs", most: 1, wait: time.Minute})
		gone <- err
	}()
	waitingIs(t, r.server, 1)
	leave()
	if err := <-gone; err == nil {
		t.Error("one who has gone was answered")
	}
	r.publish("default", 1, 1)
	if d := r.pulled(1)[0]; d.Deliveries != 1 {
		t.Errorf("the next: %+v", d)
	}
	r.publish("default", 2, 2)
	came, err := r.server.cfg.Events.Pull(t.Context(), "default", "jobs", 2, 10*time.Second)
	if err != nil || len(came) == 0 {
		t.Fatalf("%d events, %v", len(came), err)
	}
	r.server.giveBack(t.Context(), "default", came)
	if d := r.pulled(1)[0]; d.Event.ID != "2" || d.Deliveries != 2 {
		t.Errorf("what was given back: %+v", d)
	}
}
