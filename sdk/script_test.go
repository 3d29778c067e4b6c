package sdk_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// script is a service that gives its answers in order, the last one again and again, and keeps what it was asked.
type script struct {
	mu      sync.Mutex
	answers []answer
	asked   []asked
}

type answer struct {
	status int
	header map[string]string
	body   string
	drop   bool // close the connection instead
}

type asked struct {
	Method, URI, Body string
	Header            http.Header
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	a := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	s.asked = append(s.asked, asked{r.Method, r.RequestURI, string(body), r.Header})
	s.mu.Unlock()
	if a.drop {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(a.status)
	if _, err := io.WriteString(w, a.body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (s *script) requests() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]asked(nil), s.asked...)
}

// serve starts the script and a client of it.
func (s *script) serve(t *testing.T) *sdk.Client {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return client(t, sdk.Config{URL: server.URL + "/behind/a/proxy/"})
}

func client(t *testing.T, cfg sdk.Config) *sdk.Client {
	t.Helper()
	c, err := sdk.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func says(status int, v any) answer {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return answer{status: status, body: string(raw)}
}

// problem is a refusal as the service writes it.
func problem(code sdk.Code, detail string) answer {
	p := sdk.Errorf(code, "%s", detail).Problem()
	a := says(p.Status, p)
	a.header = map[string]string{"Content-Type": sdk.ProblemContentType, "X-Request-Id": "req-7"}
	return a
}

// pass lets d go by on the clock of the bubble.
func pass(d time.Duration) { <-time.After(d) }
