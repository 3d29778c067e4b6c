package sdk_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// beating is a service in made-up time whose streams bring events one after the other and then, unless they are dead, a comment every 15 s.
type beating struct {
	dead  int // so many streams say nothing after their first event
	asked []string
}

func (b *beating) RoundTrip(r *http.Request) (*http.Response, error) {
	last := r.Header.Get("Last-Event-ID")
	b.asked = append(b.asked, last)
	from, err := sdk.ParseSequence(last)
	if err != nil {
		from = 0
	}
	dead := len(b.asked) <= b.dead
	body, w := io.Pipe()
	go func() {
		<-r.Context().Done()
		w.CloseWithError(r.Context().Err())
	}()
	go func() {
		for n := from + 1; n <= 3; n++ {
			// What is written is larger than what the client reads ahead.
			if _, err := fmt.Fprintf(w, "id: %d\ndata: {\"type\":\"a.b\",\"sequence\":\"%d\"}\n\n: %s\n\n", n, n, strings.Repeat("x", 8<<10)); err != nil || dead {
				return
			}
		}
		for range time.Tick(15 * time.Second) {
			if _, err := io.WriteString(w, ": still here\n\n"); err != nil {
				return
			}
		}
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: body, Request: r}, nil
}

// TestSilenceEndsAStreamThatIsRead, and not one whose reader takes long over an event.
func TestSilenceEndsAStreamThatIsRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		dead   int
		pause  time.Duration // of the reader, after each event
		asked  []string
		atMost time.Duration
	}{
		"a slow reader":          {0, 5 * time.Minute, []string{""}, 16 * time.Minute},
		"a stream that died":     {1, 0, []string{"", sdk.FormatSequence(1)}, 50 * time.Second},
		"two, and a slow reader": {2, time.Minute, []string{"", sdk.FormatSequence(1), sdk.FormatSequence(2)}, 5 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &beating{dead: tc.dead}
			c := client(t, sdk.Config{HTTPClient: &http.Client{Transport: b}})
			began, n := time.Now(), 0
			for _, err := range c.Subscribe(t.Context(), sdk.EventFilter{FromStart: true}) {
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if n++; n == 3 {
					break
				}
				pass(tc.pause)
			}
			if took := time.Since(began); took > tc.atMost {
				t.Errorf("%s: it took %v", name, took)
			}
			if diff := cmp.Diff(tc.asked, b.asked); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		})
	}
}
