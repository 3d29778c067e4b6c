package sdk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestMintAttemptKey(t *testing.T) {
	t.Parallel()
	var calls []string
	answer, status := `{"key":"ra_secret","expiresAt":"2026-01-02T12:00:01Z"}`, http.StatusCreated
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body any
		_ = json.NewDecoder(r.Body).Decode(&body)
		calls = append(calls, fmt.Sprint(r.Method, " ", r.URL.Path, " ", body, " ", r.Header.Get("Authorization")))
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer s.Close()
	c, err := sdk.NewClient(sdk.Config{URL: s.URL, APIKey: "rk_worker"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := c.MintAttemptKey(t.Context(), "t1", 1, 2)
	if err != nil || key.Key != "ra_secret" || !key.ExpiresAt.Equal(noon(1)) {
		t.Errorf("%s %v", key.Key, err)
	}
	if want := "POST /v1/tasks/t1/key map[attempt:2 stage:1] Bearer rk_worker"; len(calls) != 1 || calls[0] != want {
		t.Errorf("called %q, want %q once", calls, want)
	}
	if _, err := c.MintAttemptKey(t.Context(), "../t1", 0, 1); !errors.Is(err, sdk.ErrInvalidInput) {
		t.Errorf("a wrong id: %v", err)
	}
	answer = `{}`
	if _, err := c.MintAttemptKey(t.Context(), "t1", 0, 1); !errors.Is(err, sdk.ErrInternal) {
		t.Errorf("an answer without a key: %v", err)
	}
	answer, status = "", http.StatusServiceUnavailable
	calls = nil
	if _, err := c.MintAttemptKey(t.Context(), "t1", 0, 1); !errors.Is(err, sdk.ErrUnavailable) || len(calls) != 1 {
		t.Errorf("a service that is away was called %d times: %v", len(calls), err)
	}
}

func TestAttemptKeyIsNotPrinted(t *testing.T) {
	t.Parallel()
	key := sdk.AttemptKey{Key: "ra_secret", ExpiresAt: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)}
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("made", "key", key)
	}
	fmt.Fprintf(&out, "%s %v %+v", key, key, key)
	if strings.Contains(out.String(), "secret") || strings.Count(out.String(), "2026-01-02T12:00:00Z") < 5 {
		t.Errorf("%s", out.String())
	}
}
