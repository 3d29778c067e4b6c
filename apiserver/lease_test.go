package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// memoryLeases hands attempts out and keeps what it is told.
type memoryLeases struct {
	mu       sync.Mutex
	waiting  []*activities.Claimed
	claims   []activities.Claim
	words    []activities.Word
	endings  []activities.Ending
	returned int
	entered  chan struct{} // one for each claim that waits
	then     func()        // called before an attempt is handed out
}

func onLeases(l Leases) func(*Config) { return func(c *Config) { c.Leases = l } }

func (m *memoryLeases) ClaimTask(ctx context.Context, in activities.Claim) (*activities.Claimed, error) {
	m.mu.Lock()
	m.claims = append(m.claims, in)
	if len(m.waiting) > 0 {
		defer m.mu.Unlock()
		claimed := m.waiting[0]
		m.waiting = m.waiting[1:]
		claimed.Hold.Project, claimed.Hold.AgentID = in.Project, in.AgentID
		if m.then != nil {
			m.then()
		}
		return claimed, nil
	}
	m.mu.Unlock()
	if m.entered != nil {
		m.entered <- struct{}{}
		<-ctx.Done()
	}
	return nil, nil
}

func (m *memoryLeases) ReturnAttempt(activities.Hold) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.returned++
}

func (m *memoryLeases) ReportAttempt(_ context.Context, h activities.Hold, w activities.Word) (sdk.LeaseStatus, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.words = append(m.words, w)
	return sdk.LeaseStatus{ExpiresAt: h.StartedAt.Add(time.Minute)}, nil
}

func (m *memoryLeases) EndAttempt(_ context.Context, _ activities.Hold, end activities.Ending) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endings = append(m.endings, end)
	return nil
}

func (m *memoryLeases) offer(task string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m.waiting = append(m.waiting, &activities.Claimed{
		Hold:       activities.Hold{TaskID: task, Attempt: 1, Token: []byte("token of " + task), StartedAt: began, HeartbeatMs: 30_000},
		Assignment: sdk.Assignment{Task: sdk.Task{ID: task, Title: "Do it"}, Attempt: 1, MaxAttempts: 3, Resume: json.RawMessage(`{"page":1}`)},
		ExpiresAt:  began.Add(30 * time.Second),
	})
}

func claimed(t *testing.T, s *Server, headers ...string) *sdk.Lease {
	t.Helper()
	w := call(s, http.MethodPost, "/v1/roles/coder/claim", `{"agentId":"ada","waitMs":1500}`, headers...)
	if w.Code != http.StatusOK {
		t.Fatalf("claim: %d %s", w.Code, w.Body)
	}
	if !strings.HasPrefix(w.Body.String(), `{"lease":"rl_`) { // a shell agent cuts it out there
		t.Errorf("a claim begins with %.40s", w.Body)
	}
	var lease sdk.Lease
	if err := json.Unmarshal(w.Body.Bytes(), &lease); err != nil {
		t.Fatal(err)
	}
	return &lease
}

func TestClaim(t *testing.T) {
	t.Parallel()
	m := &memoryLeases{}
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLeases(m))
	if w := call(s, http.MethodPost, "/v1/roles/coder/claim", `{"agentId":"ada"}`); w.Code != http.StatusNoContent || w.Body.Len() != 0 {
		t.Errorf("with nothing to do: %d %s", w.Code, w.Body)
	}
	m.offer("one")
	lease := claimed(t, s)
	if lease.Task.ID != "one" || lease.Attempt != 1 || lease.MaxAttempts != 3 || lease.HeartbeatMs != 30_000 || string(lease.Resume) != `{"page":1}` || lease.Task.Links.Self == "" {
		t.Errorf("%+v", lease)
	}
	want := activities.Claim{Project: "default", Role: "coder", AgentID: "ada", Wait: 1500 * time.Millisecond}
	if diff := cmp.Diff(want, m.claims[1]); diff != "" {
		t.Error(diff)
	}
	for body, paths := range map[string][]string{
		`{}`:                                {"$.agentId"},
		`{"agentId":"a b","waitMs":-1}`:     {"$.agentId", "$.waitMs"},
		`{"agentId":"ada","waitMs":60001}`:  {"$.waitMs"},
		`{"agentId":"ada","role":"tester"}`: {"$.role"},
	} {
		refusedAt(t, s, "/v1/roles/coder/claim", body, paths)
	}
	refusedAt(t, s, "/v1/roles/Coder/claim", `{"agentId":"ada"}`, []string{"path.role"})
	none := newTestServer(t, newMemoryTasks(), io.Discard)
	if p := problemOf(t, call(none, http.MethodPost, "/v1/roles/coder/claim", `{"agentId":"ada"}`)); p.Code != sdk.CodeUnavailable {
		t.Errorf("without leases: %+v", p)
	}
}

func refusedAt(t *testing.T, s *Server, target, body string, paths []string) {
	t.Helper()
	p := problemOf(t, call(s, http.MethodPost, target, body))
	var got []string
	for _, f := range p.Errors {
		got = append(got, f.Path)
	}
	slices.Sort(got)
	slices.Sort(paths)
	if p.Code != sdk.CodeInvalidInput || !slices.Equal(got, paths) {
		t.Errorf("%s %s: %s at %q, want %q", target, body, p.Code, got, paths)
	}
}

// A claim whose caller has gone meanwhile gives the task back.
func TestClaimOfNobody(t *testing.T) {
	t.Parallel()
	m := &memoryLeases{}
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLeases(m))
	ctx, gone := context.WithCancel(t.Context())
	m.then = gone
	m.offer("one")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1/v1/roles/coder/claim", strings.NewReader(`{"agentId":"ada"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = "127.0.0.1:1"
	w := &discarding{header: http.Header{}}
	s.Handler().ServeHTTP(w, r)
	if m.returned != 1 || bytes.Contains(w.body, []byte("rl_")) {
		t.Errorf("%d given back; answered %s", m.returned, w.body)
	}
}

type discarding struct {
	header http.Header
	body   []byte
}

func (d *discarding) Header() http.Header         { return d.header }
func (d *discarding) WriteHeader(int)             {}
func (d *discarding) Write(p []byte) (int, error) { d.body = append(d.body, p...); return len(p), nil }

// A claim in another organization's project waits as one for which nothing comes: answered at once, it would be sent again and again.
func TestClaimWhereNothingIsSeen(t *testing.T) {
	t.Parallel()
	m := &memoryLeases{}
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLeases(m))
	if w := call(s, http.MethodPost, "/v1/tasks", okBody, "Rolecall-Project", "p7"); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	m.offer("one")
	for wait, least := range map[string]time.Duration{"0": leastClaim, "1500": 1500 * time.Millisecond} {
		began := time.Now()
		w := call(s, http.MethodPost, "/v1/roles/coder/claim", `{"agentId":"ada","waitMs":`+wait+`}`, "Rolecall-Project", "p7", "Rolecall-Organization", "other")
		if took := time.Since(began); w.Code != http.StatusNoContent || took < least || len(m.claims) != 0 {
			t.Errorf("waiting %s ms: %d after %s, %d claims", wait, w.Code, took, len(m.claims))
		}
	}
}

// Waiting claims are answered when the server stops.
func TestClaimsEndWithTheServer(t *testing.T) {
	t.Parallel()
	m := &memoryLeases{entered: make(chan struct{})}
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLeases(m))
	answered := make(chan int, 1)
	go func() {
		answered <- call(s, http.MethodPost, "/v1/roles/coder/claim", `{"agentId":"ada","waitMs":60000}`).Code
	}()
	<-m.entered
	s.drain()
	if code := <-answered; code != http.StatusNoContent {
		t.Errorf("answered %d", code)
	}
}

func TestWordsOfALease(t *testing.T) {
	t.Parallel()
	m := &memoryLeases{}
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLeases(m))
	m.offer("one")
	at := "/v1/leases/" + claimed(t, s).Token
	const secret = "ghp_0123456789abcdefABCDEF0123456789abcd"
	ok := func(what, body string) string {
		t.Helper()
		w := call(s, http.MethodPost, at+what, body)
		if w.Code != http.StatusOK {
			t.Fatalf("%s %s: %d %s", what, body, w.Code, w.Body)
		}
		return w.Body.String()
	}
	if got := ok("/progress", ``); !strings.Contains(got, `"cancelRequested":false`) || !strings.Contains(got, `"expiresAt":"2026-01-02T03:05:05Z"`) {
		t.Error(got)
	}
	ok("/progress", `{"percentage":40,"message":"the key is `+secret+`","resume":{"key":"`+secret+`"},"metrics":{"tokensUsed":7}}`)
	if m.words[0].Progress != nil || m.words[0].Resume != nil || m.words[0].Spent != nil {
		t.Errorf("an empty word says %+v", m.words[0])
	}
	word := m.words[1]
	if word.Progress.Percentage != 40 || strings.Contains(fmt.Sprint(word.Progress, string(word.Resume)), secret) || len(word.Resume) == 0 || *word.Spent.TokensUsed != 7 {
		t.Errorf("%+v, resume %s", word.Progress, word.Resume)
	}
	ok("/progress", `{"message":"more"}`)
	if word := m.words[2]; word.Progress.Message != "more" || !word.Without || m.words[1].Without {
		t.Errorf("a word without a percentage: %+v", word)
	}
	ok("/complete", `{"output":{"a":1},"model":"m","metrics":{"tokensUsed":3},"qualityGatePassed":true}`)
	ok("/complete", `{ "model":"m", "qualityGatePassed":true,"metrics":{"tokensUsed":3}, "output":{"a":1}}`)
	ok("/complete", `{"output":{"a":2}}`)
	ok("/fail", `{"error":{"code":"worker_lost","message":"`+secret+`","retryable":true,"retryAfterMs":5},"resume":null}`)
	if got := ok("/fail", `{"error":{"code":"interrupted","message":"going"}}`); !strings.Contains(got, `"outcome":"interrupted"`) {
		t.Error(got)
	}
	ok("/input-required", `{"prompt":"Which?","schema":{"enum":[1,2]}}`)
	ok("/fail", `{"error":{"code":"tests_failed","message":"red"}}`)
	ok("/fail", `{"error":{"code":"tests_failed","message":"red","retryable":null}}`)
	ok("/fail", `{"error":{"code":"tests_failed","message":"red","retryable":false}}`)
	first := m.endings[0]
	if r := first.Result; string(r.Output) != `{"a":1}` || r.Model != "m" || *r.Metrics.TokensUsed != 3 || !*r.QualityGatePassed {
		t.Errorf("%+v", r)
	}
	if first.Digest == "" || m.endings[1].Digest != first.Digest || m.endings[2].Digest == first.Digest {
		t.Errorf("digests %q", []string{first.Digest, m.endings[1].Digest, m.endings[2].Digest})
	}
	if f := m.endings[3].Failure; f.Code != sdk.CodeAgentFailed || strings.Contains(f.Message, secret) || !f.Retryable || f.RetryAfter != 5*time.Millisecond {
		t.Errorf("%+v", f)
	}
	if m.endings[4].Failure.Code != sdk.CodeInterrupted || m.endings[5].Question.Prompt != "Which?" || len(m.endings[5].Question.Schema) == 0 {
		t.Errorf("%+v %+v", m.endings[4].Failure, m.endings[5].Question)
	}
	for i, want := range []bool{true, true, false} { // unless it says that it is not
		if f := m.endings[6+i].Failure; f.Code != "tests_failed" || f.Retryable != want {
			t.Errorf("failure %d: %+v", i, f)
		}
	}
	long := strings.Repeat("x", 5000)
	for what, body := range map[string]string{
		"/progress $.percentage $.message":                       `{"percentage":101,"message":"` + long + `"}`,
		"/progress $.metrics.costUsd":                            `{"metrics":{"costUsd":-1}}`,
		"/progress $.at":                                         `{"at":"2026-01-02T03:04:05Z"}`,
		"/complete $.model $.nope":                               `{"model":"` + long + `","nope":1}`,
		"/fail $.error.code $.error.message":                     `{"error":{}}`,
		"/fail $.error.retryAfterMs":                             `{"error":{"code":"x","message":"x","retryAfterMs":-1}}`,
		"/input-required $.prompt":                               `{"prompt":" "}`,
		"/input-required $.schema":                               `{"prompt":"x","schema":{"type":7}}`,
		"/input-required $.prompt $.schema $.metrics.durationMs": `{"prompt":"` + long + `","schema":7,"metrics":{"durationMs":-1}}`,
	} {
		parts := strings.Fields(what)
		refusedAt(t, s, at+parts[0], body, parts[1:])
	}
	if len(m.words) != 3 || len(m.endings) != 9 {
		t.Errorf("%d words and %d endings got through", len(m.words), len(m.endings))
	}
}

// A lease that is not one of the project's is there for nobody, and no lease gets into the log.
func TestLeasesOfOthers(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	m, logs := &memoryLeases{}, &bytes.Buffer{}
	s := ring.server(t, newMemoryTasks(), logs, onLeases(m))
	m.offer("one")
	lease := claimed(t, s, bearing(ring.shop)...).Token
	try := func(lease string, headers ...string) *sdk.Problem {
		t.Helper()
		w := call(s, http.MethodPost, "/v1/leases/"+lease+"/progress", `{}`, headers...)
		if w.Code == http.StatusOK {
			return nil
		}
		p := problemOf(t, w)
		return &p
	}
	if p := try(lease, bearing(ring.shop)...); p != nil {
		t.Fatalf("its own: %+v", p)
	}
	if p := try(lease, append(bearing(ring.both), headerProject, "shop")...); p != nil {
		t.Errorf("with another key of the project: %+v", p)
	}
	for what, p := range map[string]*sdk.Problem{
		"another organization's":     try(lease, bearing(ring.bank)...),
		"another project's":          try(lease, append(bearing(ring.both), headerProject, "till")...),
		"a part":                     try(lease[:len(lease)-1], bearing(ring.shop)...),
		"more":                       try(lease+"A", bearing(ring.shop)...),
		"without its prefix":         try(strings.TrimPrefix(lease, leasePrefix), bearing(ring.shop)...),
		"a key of an attempt as one": try(leasePrefix+attemptKeyPrefix, bearing(ring.shop)...),
	} {
		if p == nil || p.Code != sdk.CodeNotFound {
			t.Errorf("%s: %+v", what, p)
		}
	}
	if n := len(m.words); n != 2 {
		t.Errorf("%d words got through", n)
	}
	if got := logs.String(); strings.Contains(got, lease) || strings.Contains(got, lease[4:40]) || !strings.Contains(got, "/v1/leases/:lease/progress") {
		t.Errorf("the log holds a lease, or not its route:\n%s", got)
	}
}
