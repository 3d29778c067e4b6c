package keys

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestStoreKeepsTheLastGoodFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	secret, made := mustCreate(t, path, "acme", "shop")
	var log bytes.Buffer
	s, err := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	taken := func(when, secret string, want bool) {
		t.Helper()
		if _, ok := s.Find(secret); ok != want {
			t.Errorf("%s: taken %v, want %v", when, ok, want)
		}
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{"", "x", `{"keys":[{}]}`} {
		log.Reset()
		if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		s.look()
		s.look()
		taken("broken", secret, true)
		if !s.Stale() {
			t.Error("the keys are not said to be stale")
		}
		if got := strings.Count(log.String(), "level=ERROR"); got != 1 {
			t.Errorf("%q is logged %d times: %s", broken, got, &log)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.look()
	taken("gone", secret, true)
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	s.look()
	if !strings.Contains(log.String(), "can be used again") || s.Stale() {
		t.Errorf("%s", &log)
	}
	second, _ := mustCreate(t, path, "acme", "shop")
	if _, err := Revoke(t.Context(), path, made.ID); err != nil {
		t.Fatal(err)
	}
	taken("before a look", second, false)
	s.look()
	taken("revoked", secret, false)
	taken("new", second, true)
	if strings.Contains(log.String(), made.Hash) || strings.Contains(log.String(), secret) {
		t.Errorf("the log holds a key or its hash: %s", &log)
	}
}

// TestStoreSeesAFreshChangeOfTheSameTime: a file written twice within the grain of its time, to the same size.
func TestStoreSeesAFreshChangeOfTheSameTime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	mustCreate(t, path, "acme", "shop")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(raw, []byte(`"acme"`), []byte(`"ecma"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, now, now); err != nil {
		t.Fatal(err)
	}
	s.look()
	if got := s.now.Load().keys[0].Organization; got != "ecma" {
		t.Errorf("organization %s", got)
	}
}

// TestFollow runs on a clock of its own: a change is there after a second.
func TestFollow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	mustCreate(t, path, "acme", "shop")
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var following sync.WaitGroup
		following.Go(func() { s.Follow(ctx) })
		second, _ := mustCreate(t, path, "acme", "shop")
		time.Sleep(lookEvery + time.Millisecond)
		synctest.Wait()
		if _, ok := s.Find(second); !ok {
			t.Error("a new key is not taken after a second")
		}
		stop()
		following.Wait()
	})
}

// TestStoreComplainsOn: a file that stays broken is in the log again and again, not each second.
func TestStoreComplainsOn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	mustCreate(t, path, "acme", "shop")
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s, err := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var following sync.WaitGroup
		following.Go(func() { s.Follow(ctx) })
		time.Sleep(5*complainEvery + 30*time.Second)
		stop()
		following.Wait()
		if got := strings.Count(log.String(), "level=ERROR"); got < 5 || got > 6 {
			t.Errorf("it is logged %d times in 5.5 minutes", got)
		}
	})
}

func TestStoreWhileTheFileChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	stays, _ := mustCreate(t, path, "acme", "shop")
	s, err := Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, ok := s.Find(stays); !ok {
					t.Error("a key that stays was not taken")
					return
				}
			}
		})
	}
	for range 20 {
		_, made := mustCreate(t, path, "acme", "shop")
		s.look()
		if _, err := Revoke(t.Context(), path, made.ID); err != nil {
			t.Error(err)
		}
		s.look()
	}
	close(done)
	all.Wait()
	if got := len(s.now.Load().keys); got != 21 {
		t.Errorf("%d keys", got)
	}
}
