package sdk_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// wire is a service inside a bubble of made-up time: it answers the n-th request, from 0, and keeps when each came.
type wire struct {
	answer func(n int, r *http.Request) (answer, error)
	began  time.Time
	at     []time.Duration
	asked  []string
	keys   []string
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	n := len(w.asked)
	w.at = append(w.at, time.Since(w.began))
	w.asked = append(w.asked, r.Method+" "+r.URL.RequestURI())
	w.keys = append(w.keys, r.Header.Get("Idempotency-Key"))
	a, err := w.answer(n, r)
	if err == nil {
		err = r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	h := http.Header{"Content-Type": {"application/json"}}
	for k, v := range a.header {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// bubble runs a test in made-up time against the answers.
func bubble(t *testing.T, answers func(n int, r *http.Request) (answer, error), run func(*testing.T, *sdk.Client, *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: answers, began: time.Now()}
		run(t, client(t, sdk.Config{HTTPClient: &http.Client{Transport: w}}), w)
	})
}

// hold waits as the service does with waitMs.
func hold(r *http.Request, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

func task(status sdk.Status, percent float64) sdk.Task {
	return sdk.Task{ID: "t1", Status: status, Progress: &sdk.Progress{Percentage: percent, At: noon(int(percent))}}
}

func TestReadsAndCreationsAreRepeated(t *testing.T) {
	t.Parallel()
	bad := []answer{{status: 502, body: "<html>"}, problem("unavailable", "Temporal is away"), {status: 504}}
	for name, call := range map[string]func(context.Context, *sdk.Client) error{
		"GetTask":    func(ctx context.Context, c *sdk.Client) error { _, err := c.GetTask(ctx, "t1"); return err },
		"Progress":   func(ctx context.Context, c *sdk.Client) error { _, err := c.Progress(ctx, "t1"); return err },
		"CreateTask": func(ctx context.Context, c *sdk.Client) error { _, err := c.CreateTask(ctx, request(nil)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(n int, _ *http.Request) (answer, error) {
				if n < 3 {
					return bad[n], nil
				}
				return says(200, wholeTask()), nil
			}, func(t *testing.T, c *sdk.Client, w *wire) {
				if err := call(t.Context(), c); err != nil {
					t.Error(err)
				}
				if len(w.at) != 4 || w.at[3] > time.Second {
					t.Errorf("requests at %v, want four within a second", w.at)
				}
				for _, k := range w.keys {
					if k != w.keys[0] || (k == "") == (name == "CreateTask") {
						t.Errorf("the idempotency keys are %q", w.keys)
					}
				}
			})
			bubble(t, func(int, *http.Request) (answer, error) { return answer{}, syscall.ECONNREFUSED },
				func(t *testing.T, c *sdk.Client, w *wire) {
					if err := call(t.Context(), c); !errors.Is(err, sdk.ErrUnavailable) || !errors.Is(err, syscall.ECONNREFUSED) {
						t.Errorf("%v", err)
					}
					if len(w.at) != 4 {
						t.Errorf("%d requests, want 4", len(w.at))
					}
				})
		})
	}
}

// TestChangesAreSentOnce: whether a change arrived can not be known, so repeating it is the caller's.
func TestChangesAreSentOnce(t *testing.T) {
	t.Parallel()
	for _, bad := range []answer{{status: 503}, {status: 429}, {drop: true}} {
		s := &script{answers: []answer{bad, says(200, wholeTask())}}
		c := s.serve(t)
		if _, err := c.CancelTask(t.Context(), "t1", ""); err == nil {
			t.Errorf("%+v: no error", bad)
		}
		if n := len(s.requests()); n != 1 {
			t.Errorf("%+v: sent %d times", bad, n)
		}
	}
}

func TestRetryAfterIsKeptTo(t *testing.T) {
	t.Parallel()
	wait := func(seconds string) func(int, *http.Request) (answer, error) {
		return func(n int, _ *http.Request) (answer, error) {
			if n == 0 {
				return answer{status: 429, header: map[string]string{"Retry-After": seconds}}, nil
			}
			return says(200, task("completed", 1)), nil
		}
	}
	bubble(t, wait("7"), func(t *testing.T, c *sdk.Client, w *wire) {
		if _, err := c.GetTask(t.Context(), "t1"); err != nil || len(w.at) != 2 || w.at[1] != 7*time.Second {
			t.Errorf("%v; requests at %v", err, w.at)
		}
	})
	bubble(t, wait("600"), func(t *testing.T, c *sdk.Client, w *wire) {
		_, err := c.GetTask(t.Context(), "t1")
		if e, ok := errors.AsType[*sdk.Error](err); !ok || e.RetryAfter != 10*time.Minute || len(w.at) != 1 {
			t.Errorf("%v; requests at %v", err, w.at)
		}
	})
	bubble(t, wait("600"), func(t *testing.T, c *sdk.Client, w *wire) {
		if _, err := c.WaitForTask(t.Context(), "t1"); err != nil || len(w.at) != 2 || w.at[1] != 30*time.Second {
			t.Errorf("waiting: %v; requests at %v", err, w.at)
		}
	})
}

func TestWaitForTaskHoldsTheLine(t *testing.T) {
	t.Parallel()
	bubble(t, func(n int, r *http.Request) (answer, error) {
		if n == 3 {
			return says(200, task("failed", 1)), hold(r, 5*time.Second)
		}
		return says(200, task("running", 1)), hold(r, 30*time.Second)
	}, func(t *testing.T, c *sdk.Client, w *wire) {
		got, err := c.WaitForTask(t.Context(), "t1")
		if err != nil || got.Status != "failed" || got.Err() == nil {
			t.Errorf("%v %+v: a failed task is an answer", err, got)
		}
		if want := []time.Duration{0, 30 * time.Second, 60 * time.Second, 90 * time.Second}; !cmp.Equal(want, w.at) || w.asked[0] != "GET /v1/tasks/t1?waitMs=30000" {
			t.Errorf("%v at %v", w.asked, w.at)
		}
	})
}

// TestWaitForTaskIsGentle: a service that does not hold the wait is not asked more often than the polling interval says.
func TestWaitForTaskIsGentle(t *testing.T) {
	t.Parallel()
	bubble(t, func(n int, _ *http.Request) (answer, error) {
		if n == 10 {
			return says(200, task("completed", 1)), nil
		}
		return says(200, task("running", 1)), nil
	}, func(t *testing.T, c *sdk.Client, w *wire) {
		if _, err := c.WaitForTask(t.Context(), "t1"); err != nil || w.at[10] != 20*time.Second {
			t.Errorf("%v; requests at %v", err, w.at)
		}
	})
}

// TestWaitForTaskOutlivesAnOutage: an hour without a service costs a bounded number of requests, and the end is seen soon after it.
func TestWaitForTaskOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	began := time.Time{}
	bubble(t, func(n int, r *http.Request) (answer, error) {
		switch away := time.Since(began); {
		case n == 0:
			began = time.Now()
			return says(200, task("running", 1)), hold(r, 30*time.Second)
		case away < time.Hour && n%3 == 0:
			return problem("unavailable", "starting"), nil
		case away < time.Hour && n%3 == 1:
			return answer{status: 502}, nil
		case away < time.Hour:
			return answer{}, syscall.ECONNREFUSED
		default:
			return says(200, task("completed", 1)), nil
		}
	}, func(t *testing.T, c *sdk.Client, w *wire) {
		got, err := c.WaitForTask(t.Context(), "t1")
		if err != nil || got.Status != "completed" {
			t.Fatalf("%v %+v", err, got)
		}
		if after := time.Since(began) - time.Hour; after < 0 || after > 2*time.Second || len(w.at) > 3700 || len(w.at) < 1700 {
			t.Errorf("seen after %v with %d requests", after, len(w.at))
		}
	})
}

func TestWaitForTaskEndsWithItsContext(t *testing.T) {
	t.Parallel()
	bubble(t, func(_ int, r *http.Request) (answer, error) {
		return says(200, task("running", 1)), hold(r, 9*time.Second)
	}, func(t *testing.T, c *sdk.Client, w *wire) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got, err := c.WaitForTask(ctx, "t1")
		if !errors.Is(err, context.DeadlineExceeded) || got == nil || got.Status != "running" || time.Since(w.began) != 10*time.Second {
			t.Errorf("%v %+v after %v", err, got, time.Since(w.began))
		}
		if w.asked[0] != "GET /v1/tasks/t1?waitMs=9000" {
			t.Errorf("asked %v: the answer would come too late", w.asked)
		}
	})
	bubble(t, func(int, *http.Request) (answer, error) { return answer{}, syscall.ECONNREFUSED },
		func(t *testing.T, c *sdk.Client, w *wire) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			got, err := c.WaitForTask(ctx, "t1")
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, sdk.ErrUnavailable) || got != nil || time.Since(w.began) != 10*time.Second {
				t.Errorf("%v %+v after %v", err, got, time.Since(w.began))
			}
		})
	bubble(t, func(int, *http.Request) (answer, error) { return problem("not_found", "no such task"), nil },
		func(t *testing.T, c *sdk.Client, w *wire) {
			if _, err := c.WaitForTask(t.Context(), "t1"); !errors.Is(err, sdk.ErrNotFound) || len(w.at) != 1 {
				t.Errorf("%v after %d requests", err, len(w.at))
			}
		})
}
