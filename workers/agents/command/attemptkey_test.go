//go:build linux || darwin

package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// mintAPI answers as the API does when it is asked for an attempt's key, and keeps what it was asked.
type mintAPI struct {
	mu     sync.Mutex
	asked  []string
	status int // 201 unless it is another one
}

func (m *mintAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, fmt.Sprintf("%s %s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Rolecall-Project"), r.Header.Get("Authorization"), body))
	if m.status != 0 {
		w.WriteHeader(m.status)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, `{"key":"ra_%d","expiresAt":"2026-01-02T03:04:05Z"}`, len(m.asked))
}

func (m *mintAPI) answer(status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status = status
}

// took are the questions since the last time.
func (m *mintAPI) took() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	asked := m.asked
	m.asked = nil
	return asked
}

// keyed is the config of a worker that has a key, and that lets through all it can.
func keyed(t *testing.T, url string) Config {
	cfg := config(t, as("echo")...)
	cfg.ServiceURL, cfg.APIKey = url, "rk_worker"
	cfg.EnvAllow = []string{"EVENTS_API_KEY", "EVENTS_*", "E*"}
	cfg.Environ = []string{"EVENTS_API_KEY=rk_worker", "EVENTS_OTHER=kept"}
	return cfg
}

// newKeyedAgent is an agent of such a worker, with an API that may be slow.
func newKeyedAgent(t *testing.T, url string) *Agent {
	t.Helper()
	a := newAgent(t, keyed(t, url))
	a.keys.most, a.keys.try = patience, patience
	return a
}

// keysOf are the API keys in the environment of a program that echoed it.
func keysOf(t *testing.T, res *sdk.Result, err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(res.Output, []byte("rk_worker")) {
		t.Errorf("the program was given the worker's own key: %s", res.Output)
	}
	var got struct{ Env []string }
	if err := json.Unmarshal(res.Output, &got); err != nil || !slices.Contains(got.Env, "EVENTS_OTHER=kept") {
		t.Fatalf("%s %v", res.Output, err)
	}
	return slices.DeleteFunc(got.Env, func(kv string) bool { return !strings.HasPrefix(kv, "EVENTS_API_KEY=") })
}

func TestProgramGetsAKeyOfItsAttempt(t *testing.T) {
	t.Parallel()
	api := &mintAPI{}
	s := httptest.NewServer(api)
	defer s.Close()
	a := newKeyedAgent(t, s.URL)
	in := assignment("task-1", 2)
	in.Stage = 1
	for _, want := range []string{"EVENTS_API_KEY=ra_1", "EVENTS_API_KEY=ra_2"} {
		res, err := a.Handle(t.Context(), in, &recorder{})
		if diff := cmp.Diff([]string{want}, keysOf(t, res, err)); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	}
	ask := `POST /v1/tasks/task-1/key acme Bearer rk_worker {"stage":1,"attempt":2}`
	if diff := cmp.Diff([]string{ask, ask}, api.took()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestProgramGetsNoKeyFromAWorkerWithout(t *testing.T) {
	t.Parallel()
	api := &mintAPI{}
	s := httptest.NewServer(api)
	defer s.Close()
	cfg := keyed(t, s.URL)
	cfg.APIKey = ""
	res, _, err := handle(t, cfg)
	if got, asked := keysOf(t, res, err), api.took(); len(got) != 0 || len(asked) != 0 {
		t.Errorf("%q after %q", got, asked)
	}
}

// TestWorkGoesOnWithoutAKey: an API that refuses holds no attempt up.
func TestWorkGoesOnWithoutAKey(t *testing.T) {
	t.Parallel()
	api := &mintAPI{status: http.StatusForbidden}
	s := httptest.NewServer(api)
	defer s.Close()
	res, err := newKeyedAgent(t, s.URL).Handle(t.Context(), assignment("task-1", 1), &recorder{})
	if got, asked := keysOf(t, res, err), api.took(); len(got) != 0 || len(asked) != 1 {
		t.Errorf("%q after %q", got, asked)
	}
}

// TestTheLogTellsOnceThatThereAreNoKeys, and that there are some again.
func TestTheLogTellsOnceThatThereAreNoKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := &mintAPI{}
		m, at := minterOf(t, func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			return w.Result(), nil
		})
		var logs bytes.Buffer
		at.log = slog.New(slog.NewTextHandler(&logs, nil))
		for _, round := range []struct {
			status int
			asks   int
			key    bool
			warned int // so far
			again  int // so far
		}{
			{http.StatusForbidden, 1, false, 1, 0},
			{http.StatusServiceUnavailable, 1, false, 1, 0}, // once, while there are none
			{http.StatusConflict, 1, false, 1, 0},
			{0, 1, true, 1, 1},
			{http.StatusConflict, 1, false, 1, 1}, // of this attempt alone
			{0, 1, true, 1, 1},
			{http.StatusServiceUnavailable, 2, false, 2, 1},
		} {
			api.answer(round.status)
			key, asked := m.mint(t.Context(), at), api.took()
			warned, again := strings.Count(logs.String(), "the agent gets no key"), strings.Count(logs.String(), "get a key for the API again")
			if (key != "") != round.key || len(asked) != round.asks || warned != round.warned || again != round.again {
				t.Errorf("%+v: %q after %d asks, the log:\n%s", round, key, len(asked), &logs)
			}
		}
		if strings.Contains(logs.String(), "rk_worker") || strings.Contains(logs.String(), "ra_") {
			t.Errorf("the log holds a key:\n%s", &logs)
		}
	})
}

// transport is an API that does what the function does.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// minterOf asks an API that does what answer does, for an attempt.
func minterOf(t *testing.T, answer transport) (*minter, *attempt) {
	t.Helper()
	api, err := sdk.NewClient(sdk.Config{APIKey: "rk_worker", HTTPClient: &http.Client{Transport: answer}})
	if err != nil {
		t.Fatal(err)
	}
	return &minter{api: api, most: mintPatience, try: mintTry}, &attempt{in: assignment("task-1", 1), log: slog.New(slog.DiscardHandler)}
}

// TestKeyIsAskedForAgain: an API that has too much to do is given the time it asks for, as far as an attempt can wait.
func TestKeyIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		after   string // Retry-After
		refuses int    // how often it does
		key     string
		asks    int
		most    time.Duration
	}{
		"once":                {"1", 1, "ra_1", 2, 3 * time.Second / 2},
		"twice":               {"", 2, "ra_1", 3, 2 * mintPause * 3 / 2},
		"for longer than now": {"3", 1, "", 1, 0},
		"for good":            {"1", 100, "", 2, mintPatience},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asks := 0
				m, at := minterOf(t, func(*http.Request) (*http.Response, error) {
					asks++
					w := httptest.NewRecorder()
					if asks <= tc.refuses {
						w.Header().Set("Retry-After", tc.after)
						w.WriteHeader(http.StatusTooManyRequests)
					} else {
						w.WriteHeader(http.StatusCreated)
						_, _ = w.WriteString(`{"key":"ra_1","expiresAt":"2026-01-02T03:04:05Z"}`)
					}
					return w.Result(), nil
				})
				began := time.Now()
				if key := m.mint(t.Context(), at); key != tc.key || asks != tc.asks || time.Since(began) > tc.most || m.without {
					t.Errorf("%q after %d asks and %s, without %v", key, asks, time.Since(began), m.without)
				}
			})
		})
	}
}

func TestKeyIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer transport
		took   time.Duration
		short  time.Duration // while there are none
	}{
		"an API that hangs": {func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, mintPatience, mintShort},
		"an API that is away": {func(*http.Request) (*http.Response, error) {
			return nil, errors.New("connection refused")
		}, mintPause, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asks := 0
				m, at := minterOf(t, func(r *http.Request) (*http.Response, error) {
					asks++
					return tc.answer(r)
				})
				for i, want := range []struct {
					pass time.Duration // before
					took time.Duration
					asks int
				}{
					{0, tc.took, 2},
					{0, tc.short, 1}, // there are no keys, and another attempt has just waited for one
					{0, tc.short, 1},
					{mintEvery, tc.took, 2},
				} {
					time.Sleep(want.pass)
					asks = 0
					began := time.Now()
					if key := m.mint(t.Context(), at); key != "" || time.Since(began) != want.took || asks != want.asks {
						t.Errorf("attempt %d: %q after %s and %d asks, want none after %s and %d", i+1, key, time.Since(began), asks, want.took, want.asks)
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				began := time.Now()
				if key := m.mint(ctx, at); key != "" || time.Since(began) != 0 {
					t.Errorf("%q for an attempt that is to stop, after %s", key, time.Since(began))
				}
			})
		})
	}
}

func TestKeyThatCanNotBeSent(t *testing.T) {
	t.Parallel()
	cfg := keyed(t, "not a URL")
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "EVENTS_SERVICE_URL") || strings.Contains(err.Error(), "rk_worker") {
		t.Errorf("%v", err)
	}
	cfg = keyed(t, "")
	cfg.APIKey = "two words"
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "EVENTS_API_KEY") || strings.Contains(err.Error(), "two words") {
		t.Errorf("%v", err)
	}
}
