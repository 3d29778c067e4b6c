package apiserver

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
)

// TestKeyedServerIsOpen: with keys, the rules for callers on this machine do not hold, and what needs no key is there without one.
func TestKeyedServerIsOpen(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	s := ring.server(t, newMemoryTasks(), io.Discard)
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json", "/docs"} {
		if w := call(s, http.MethodGet, path, "", "Host", "rolecall.example", "Origin", "https://app.example"); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	w := call(s, http.MethodPost, "/v1/tasks", okBody, append(bearing(ring.shop), "Host", "rolecall.example", "Origin", "https://app.example")...)
	if w.Code != http.StatusCreated || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	for i := range maxProjects + 5 { // the bound of a server without keys
		secret, _ := ring.create(t, keys.Request{Organization: "acme", Projects: []string{"p" + string(rune('a'+i%26)) + string(rune('a'+i/26))}})
		s.keys = mustOpen(t, ring.path)
		taskFrom(t, call(s, http.MethodPost, "/v1/tasks", okBody, bearing(secret)...), http.StatusCreated)
	}
}

// TestServeFollowsTheKeysFile: a key that is made or revoked while the server runs.
func TestServeFollowsTheKeysFile(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	s := ring.server(t, newMemoryTasks(), io.Discard, func(c *Config) { c.Addr = "127.0.0.1:0" })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	secret, id := ring.create(t, keys.Request{Organization: "acme", Projects: []string{"shop"}})
	becomes := func(want int) {
		t.Helper()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		var got int
		for range 500 {
			r, err := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+"/v1/tasks/none", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+secret)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if got = resp.StatusCode; got == want {
				return
			}
			<-tick.C
		}
		t.Fatalf("still %d, want %d", got, want)
	}
	becomes(http.StatusNotFound)
	if _, err := keys.Revoke(t.Context(), ring.path, id); err != nil {
		t.Fatal(err)
	}
	becomes(http.StatusUnauthorized)
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestKeysFileIsCheckedAtTheStart(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	raw, err := os.ReadFile(ring.path)
	if err != nil {
		t.Fatal(err)
	}
	two := filepath.Join(t.TempDir(), "two.json")
	if err := os.WriteFile(two, bytes.Replace(raw, []byte(`"vault"`), []byte(`"till"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ path, says string }{
		"none":              {filepath.Join(t.TempDir(), "none.json"), "rolecall keys create"},
		"a folder":          {t.TempDir(), "ROLECALL_KEYS_FILE"},
		"two organizations": {two, "project till belongs to organization acme"},
	} {
		if _, err := New(Config{Addr: "127.0.0.1:0", KeysFile: tc.path}, newMemoryTasks(), nil); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, rate := range []struct {
		limit float64
		burst int
		says  string
	}{{-1, 1, "ROLECALL_RATE_LIMIT"}, {1e9, 1, "ROLECALL_RATE_LIMIT"}, {1, 0, "ROLECALL_RATE_BURST"}} {
		err := (Config{Addr: "127.0.0.1:0", RateLimit: rate.limit, RateBurst: rate.burst}).Validate()
		if err == nil || !strings.Contains(err.Error(), rate.says) {
			t.Errorf("%+v: %v", rate, err)
		}
	}
}
