package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// cutting breaks every stream off after some bytes.
type cutting struct {
	http.RoundTripper
	mu     sync.Mutex
	random *rand.Rand
	cuts   int
}

func (c *cutting) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil && resp.Header.Get("Content-Type") == contentTypeSSE {
		c.mu.Lock()
		resp.Body = &cutBody{resp.Body, c, 200 + c.random.IntN(4000)}
		c.mu.Unlock()
	}
	return resp, err
}

// count is how many streams were broken off.
func (c *cutting) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts
}

type cutBody struct {
	io.ReadCloser
	of   *cutting
	left int
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		b.of.mu.Lock()
		b.of.cuts++
		b.of.mu.Unlock()
		return 0, errors.New("cut")
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// sdkClient is a client of the SDK whose streams are cut all the time.
func sdkClient(t *testing.T, s *Server) (*sdk.Client, *cutting) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := &cutting{RoundTripper: http.DefaultTransport, random: rand.New(rand.NewPCG(seed, 0))}
	client, err := sdk.NewClient(sdk.Config{URL: served(t, s), HTTPClient: &http.Client{Transport: c}, PollingIntervalMs: 50})
	if err != nil {
		t.Fatal(err)
	}
	return client, c
}

// TestSDKFollowsOverCuts: what is published while a follower is cut off again and again reaches it once, in order.
func TestSDKFollowsOverCuts(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	client, cuts := sdkClient(t, s)
	const all = 90
	var mu sync.Mutex
	var got, want []string
	done := make(chan struct{})
	unsubscribe, err := client.SubscribeFunc(t.Context(), sdk.EventFilter{Types: sdk.EventPatterns{"x.*"}}, func(e *sdk.Event, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
			return
		}
		if got = append(got, e.ID); len(got) == all {
			close(done)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range all / 3 {
		batch := []sdk.EventRequest{{Type: "x.a"}, {Type: "other.a"}, {Type: "x.b", Subject: "a b"}, {Type: "x.c", Data: json.RawMessage(fmt.Sprint(i))}}
		list, err := client.Publish(t.Context(), batch...)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, list[0].ID, list[2].ID, list[3].ID)
	}
	select {
	case <-done:
	case <-time.After(eventPatience):
		t.Error("not all came")
	}
	unsubscribe()
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := cuts.count(); n < 3 { // all that comes is more than three times what the longest stream has
		t.Errorf("%d cuts", n)
	}
	var read []string
	for e, err := range client.Events(t.Context(), sdk.EventFilter{Types: sdk.EventPatterns{"x.*"}, Limit: 7}) {
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, e.ID)
	}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Error(diff)
	}
	read = nil
	for e, err := range client.Subscribe(t.Context(), sdk.EventFilter{Subject: "a b", FromStart: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if read = append(read, e.ID); len(read) == all/3 {
			break
		}
	}
	if read[1] != want[4] {
		t.Errorf("by its subject: %v", read[:2])
	}
}

// TestSDKReadsAStory to its terminal event over cuts, and says that there is no more.
func TestSDKReadsAStory(t *testing.T) {
	t.Parallel()
	tasks := newMemoryTasks()
	s := newTestServer(t, tasks, io.Discard, onLog(openLog(t)))
	s.times.patience = 0 // with a story that can still come
	client, _ := sdkClient(t, s)
	task, err := client.RequestCode(t.Context(), "Write it")
	if err != nil {
		t.Fatal(err)
	}
	story := eventlog.Story{Kind: eventlog.KindTask, ID: task.ID}
	tell := func(from, to int, last sdk.EventType) {
		var events []sdk.Event
		for n := from; n <= to; n++ {
			typ := sdk.EventTaskProgress
			if n == to && last != "" {
				typ = last
			}
			events = append(events, sdk.Event{
				SpecVersion: "1.0", ID: fmt.Sprintf("%s.%d", task.ID, n), Source: "w", Type: typ, Seq: n, Task: task.ID,
				Data: json.RawMessage(`"` + strings.Repeat("x", 200) + `"`), Time: time.Now(),
			})
		}
		if err := s.cfg.Events.AppendStory(t.Context(), "default", eventlog.StoryPart{Story: story, Events: events}); err != nil {
			t.Error(err)
		}
	}
	tell(1, 20, "")
	var telling sync.WaitGroup
	defer telling.Wait()
	var seqs []int
	last := ""
	for e, err := range client.TaskEvents(t.Context(), task.ID) {
		if err != nil {
			t.Fatal(err)
		}
		if seqs = append(seqs, e.Seq); e.Seq == 20 {
			telling.Go(func() { tell(21, 40, sdk.EventTaskCompleted) })
		}
		last = e.Sequence
	}
	var want []int
	for n := range 40 {
		want = append(want, n+1)
	}
	if !slices.Equal(seqs, want) {
		t.Errorf("got %v", seqs)
	}
	for e, err := range client.TaskEvents(t.Context(), task.ID, sdk.ResumeAfter(last)) {
		t.Errorf("after the end: %v, %v", e, err)
	}
	old, err := client.RequestCode(t.Context(), "From before")
	if err != nil {
		t.Fatal(err)
	}
	tasks.change("default", old.ID, false, func(t *sdk.Task) { t.Status = sdk.StatusCompleted })
	for e, err := range client.TaskEvents(t.Context(), old.ID) {
		t.Errorf("without a story: %v, %v", e, err)
	}
	for _, err := range client.TaskEvents(t.Context(), "nobody") {
		if !errors.Is(err, sdk.ErrNotFound) {
			t.Error(err)
		}
	}
}

// TestSDKServicesShare: two instances of a service handle every event, though some of them fail at first.
func TestSDKServicesShare(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	client, _ := sdkClient(t, s)
	const all = 40
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	handled := map[string]int{}
	handle := func(_ context.Context, e *sdk.Event) error {
		mu.Lock()
		defer mu.Unlock()
		n := handled[e.ID]
		handled[e.ID]++
		if n == 0 && bytes.HasSuffix(e.Data, []byte("7")) {
			return errors.New("once")
		}
		if len(handled) == all && func() bool {
			for i := 7; i < all; i += 10 {
				if handled[fmt.Sprint(i)] < 2 {
					return false
				}
			}
			return true
		}() {
			stop()
		}
		return nil
	}
	for i := range all {
		if _, err := client.Publish(t.Context(), sdk.EventRequest{Type: "code.generated", ID: fmt.Sprint(i), Data: json.RawMessage(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	var running sync.WaitGroup
	for range 2 {
		svc := sdk.NewService(client, "reviews", sdk.StartFrom("beginning"), sdk.Concurrency(3), sdk.AckWait(30*time.Second),
			sdk.OnFailure(func(d *sdk.Delivery, err error) {
				if d == nil {
					t.Log(err)
				}
			}))
		svc.OnEvent("code.*", handle)
		running.Go(func() {
			if err := svc.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	mu.Lock()
	defer mu.Unlock()
	for i := range all {
		want := 1
		if i%10 == 7 {
			want = 2
		}
		if handled[fmt.Sprint(i)] != want {
			t.Errorf("event %d was handled %d times", i, handled[fmt.Sprint(i)])
		}
	}
	got, err := client.Durable("reviews").Get(t.Context())
	if err != nil || got.Pending != 0 || got.Unacked != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := client.Durable("reviews").Delete(t.Context()); err != nil {
		t.Error(err)
	}
}
