package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// desk is a service with tasks to claim, in made-up time: a claim waits for one, and what agents say is kept.
type desk struct {
	mu       sync.Mutex
	tasks    []sdk.Lease
	claimed  []string // the roles that were claimed for
	words    []sdk.LeaseProgress
	ends     []string // how leases ended: verb and body
	answers  func(verb string) *sdk.Error
	cancel   bool
	arrived  chan struct{}
	claimant string
}

func (d *desk) client(t *testing.T) *sdk.Client {
	t.Helper()
	d.arrived = make(chan struct{}, 100)
	return client(t, sdk.Config{AgentID: "ada", HTTPClient: &http.Client{Transport: d}})
}

// offer puts a task on the desk.
func (d *desk) offer(id string, change ...func(*sdk.Lease)) {
	l := sdk.Lease{Token: "rl_" + id, HeartbeatMs: 10_000, Attempt: 1, Task: sdk.Task{ID: id, Type: sdk.TypeCodeWrite}}
	for _, c := range change {
		c(&l)
	}
	d.mu.Lock()
	d.tasks = append(d.tasks, l)
	d.mu.Unlock()
	d.arrived <- struct{}{}
}

func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	verb := parts[len(parts)-1]
	d.mu.Lock()
	answers := d.answers
	d.mu.Unlock()
	if answers != nil {
		if e := answers(verb); e != nil {
			return reply(e.Code.HTTPStatus(), e.Problem())
		}
	}
	if verb == "claim" {
		return d.claim(r, parts[1])
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch verb {
	case "progress":
		var p sdk.LeaseProgress
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			return nil, err
		}
		d.words = append(d.words, p)
		return reply(200, sdk.LeaseStatus{CancelRequested: d.cancel})
	case "output":
		return reply(202, struct{}{})
	default:
		var body json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return nil, err
		}
		d.ends = append(d.ends, verb+" "+string(body))
		return reply(200, sdk.LeaseEnd{})
	}
}

func (d *desk) claim(r *http.Request, role string) (*http.Response, error) {
	var in sdk.ClaimRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.claimed, d.claimant = append(d.claimed, role), in.AgentID
	d.mu.Unlock()
	late := time.After(time.Duration(in.WaitMs) * time.Millisecond)
	select {
	case <-d.arrived:
	case <-late:
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	lease := d.tasks[0]
	d.tasks = d.tasks[1:]
	return reply(200, lease)
}

func (d *desk) said() (words []sdk.LeaseProgress, ends []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.words), slices.Clone(d.ends)
}

// working runs a worker of one slot in the bubble; stop drains it and answers what it ended with.
func working(t *testing.T, d *desk, cfg sdk.WorkerConfig, h sdk.HandlerFunc) (stop func() error) {
	t.Helper()
	if cfg.Roles == nil {
		cfg.Roles = []sdk.Role{sdk.RoleCoder}
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	w, err := sdk.NewWorker(d.client(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.StartProcessing(ctx, h) }()
	synctest.Wait()
	return func() error {
		cancel()
		return <-ended
	}
}

// until waits for the end of the handler's context and answers its cause.
func until(ctx context.Context) (*sdk.Result, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestWorkerDoesATask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		stop := working(t, d, sdk.WorkerConfig{}, func(_ context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
			tokens := int64(9)
			r.(sdk.Meter).Spent(sdk.Metrics{TokensUsed: &tokens})
			r.Progress(sdk.Progress{Percentage: 10, Message: "first"})
			pass(2500 * time.Millisecond)
			for n := range 100 {
				r.Progress(sdk.Progress{Percentage: float64(n), Message: "many"})
			}
			if err := r.Resume(json.RawMessage(`{"page":1}`)); err != nil {
				return nil, err
			}
			r.Progress(sdk.Progress{Percentage: 99, Message: strings.Repeat("x", 5000)})
			return &sdk.Result{Output: json.RawMessage(`"` + a.Task.ID + `"`)}, nil
		})
		d.offer("one")
		pass(5 * time.Second)
		words, ends := d.said()
		if len(words) < 4 || len(words) > 6 || *words[0].Percentage != 10 || !words[1].Silent() {
			t.Errorf("%d words: %+v", len(words), words)
		}
		if last := words[len(words)-1]; *last.Percentage != 99 || len(last.Message) != sdk.MaxMessage || string(last.Resume) != `{"page":1}` {
			t.Errorf("the last word is %+v", last)
		}
		if len(ends) != 1 || ends[0] != `complete {"output":"one","metrics":{"durationMs":0,"tokensUsed":9}}` {
			t.Errorf("ended with %q", ends)
		}
		if err := stop(); err != nil || d.claimant != "ada" {
			t.Errorf("%v, as %q", err, d.claimant)
		}
	})
}

func TestWorkerAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handle sdk.HandlerFunc
		answer func(verb string) *sdk.Error
		want   string // of the end, a part
	}{
		"an error": {func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			return nil, errors.New("red")
		}, nil, `fail {"error":{"code":"agent_failed","message":"red","retryable":true}}`},
		"a final one": {func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			return nil, sdk.Final("broke", errors.New("no"))
		}, nil, `fail {"error":{"code":"broke","message":"no"}}`},
		"a reserved one": {func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			return nil, sdk.Final("worker_lost", errors.New("no"))
		}, nil, `"code":"agent_failed"`},
		"nothing": {func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) { return nil, nil }, nil, `"code":"invalid_output"`},
		"a panic": {func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) { panic("oh") }, nil, `"code":"agent_panicked","message":"the agent panicked: oh","retryable":true`},
		"a question": {func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			return nil, sdk.AskInput("Which?", nil)
		}, nil,
			`input-required {"prompt":"Which?"}`},
		"no JSON": {func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			return &sdk.Result{Output: json.RawMessage(`{`)}, nil
		}, nil, `"code":"invalid_output"`},
		"too large": {func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			return &sdk.Result{Output: json.RawMessage(`1`)}, nil
		}, func(verb string) *sdk.Error {
			if verb == "complete" {
				return sdk.ErrPayloadTooLarge
			}
			return nil
		}, `fail {"error":{"code":"payload_too_large"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &desk{answers: test.answer}
				stop := working(t, d, sdk.WorkerConfig{}, test.handle)
				d.offer("one")
				pass(time.Second)
				if _, ends := d.said(); len(ends) != 1 || !strings.Contains(ends[0], test.want) {
					t.Errorf("ended with %q, want %s", ends, test.want)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The handler's context ends for one of three reasons, and no answer follows one that nobody wants.
func TestWorkerTellsTheHandlerToStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		happens func(d *desk, stop func() error)
		cause   error
		after   time.Duration // at most
		want    string        // of the end; "" is none
	}{
		"cancelled": {func(d *desk, _ func() error) { d.cancel = true }, sdk.ErrCancelRequested, 1100 * time.Millisecond, "fail"},
		"lease lost": {func(d *desk, _ func() error) {
			d.answers = func(verb string) *sdk.Error {
				if verb == "progress" {
					return sdk.ErrLeaseLost
				}
				return nil
			}
		}, sdk.ErrLeaseLost, 1100 * time.Millisecond, ""},
		"the service is away": {func(d *desk, _ func() error) {
			began := time.Now()
			d.answers = func(string) *sdk.Error {
				if time.Since(began) < 11*time.Second {
					return sdk.ErrUnavailable
				}
				return nil
			}
		}, sdk.ErrLeaseLost, 9100 * time.Millisecond, `fail {"error":{"code":"interrupted"`},
		"drained": {func(_ *desk, stop func() error) { go func() { _ = stop() }() }, sdk.ErrInterruptedAttempt, 3 * time.Second, `"code":"interrupted","message":"interrupted: the worker is stopping or an operator took the attempt back","retryable":true},"resume":{"page":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &desk{}
				ended := make(chan error, 1)
				stop := working(t, d, sdk.WorkerConfig{DrainGrace: 2 * time.Second}, func(ctx context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
					if err := r.Resume(json.RawMessage(`{"page":2}`)); err != nil {
						return nil, err
					}
					result, err := until(ctx)
					ended <- err
					return result, err
				})
				d.offer("one")
				synctest.Wait()
				began := time.Now()
				d.mu.Lock()
				test.happens(d, stop)
				d.mu.Unlock()
				if err := <-ended; !errors.Is(err, test.cause) || time.Since(began) > test.after {
					t.Errorf("%v after %s", err, time.Since(began))
				}
				pass(20 * time.Second)
				if _, ends := d.said(); test.want == "" && len(ends) != 0 || test.want != "" && (len(ends) != 1 || !strings.Contains(ends[0], test.want)) {
					t.Errorf("ended with %q, want %q", ends, test.want)
				}
				if name != "drained" {
					if err := stop(); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// A worker that stops gives back what its last claim brings, and needs as long as that lasts.
func TestWorkerDrainsItsClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		stop := working(t, d, sdk.WorkerConfig{}, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			t.Error("the handler was called")
			return nil, nil
		})
		began := time.Now()
		go func() {
			pass(3 * time.Second)
			d.offer("late")
		}()
		if err := stop(); err != nil || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if _, ends := d.said(); len(ends) != 1 || !strings.Contains(ends[0], `fail {"error":{"code":"interrupted"`) {
			t.Errorf("ended with %q", ends)
		}
	})
}

// Several roles take turns; a service that is away is waited for, and one that refuses ends the worker.
func TestWorkerClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		stop := working(t, d, sdk.WorkerConfig{Roles: []sdk.Role{"coder", "tester"}}, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			return &sdk.Result{}, nil
		})
		pass(5 * time.Second)
		d.mu.Lock()
		if got := strings.Join(d.claimed, " "); got != "coder tester coder" {
			t.Errorf("claimed for %s", got)
		}
		d.answers = func(string) *sdk.Error { return sdk.ErrUnavailable }
		d.mu.Unlock()
		pass(time.Minute)
		d.mu.Lock()
		d.answers = nil
		d.mu.Unlock()
		d.offer("one")
		pass(20 * time.Second)
		if _, ends := d.said(); len(ends) != 1 {
			t.Errorf("ended with %q", ends)
		}
		d.mu.Lock()
		d.answers = func(string) *sdk.Error { return sdk.Errorf(sdk.CodeForbidden, "the API key lacks the scope work") }
		d.mu.Unlock()
		pass(time.Minute)
		if err := stop(); err == nil || !errors.Is(err, sdk.ErrForbidden) {
			t.Errorf("refused: %v", err)
		}
	})
}

func TestWorkerOnTask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		w, err := sdk.NewWorker(d.client(t), sdk.WorkerConfig{Roles: []sdk.Role{"coder"}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		w.OnTask(sdk.TypeCodeWrite, sdk.HandlerFunc(func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			return &sdk.Result{Output: json.RawMessage(`"written"`)}, nil
		}))
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		d.offer("one")
		d.offer("two", func(l *sdk.Lease) { l.Task.Type = sdk.TypeCodeRefactor })
		if err := w.StartProcessing(ctx, nil); err != nil {
			t.Error(err)
		}
		if _, ends := d.said(); len(ends) != 2 || !strings.Contains(ends[0], "written") || !strings.Contains(ends[1], `"code":"unsupported_type"`) {
			t.Errorf("ended with %q", ends)
		}
		if err := w.StartProcessing(ctx, nil); !errors.Is(err, sdk.ErrInvalidInput) {
			t.Errorf("again: %v", err)
		}
	})
}

func TestWorkerConfigFaults(t *testing.T) {
	t.Parallel()
	d := &desk{}
	c := d.client(t)
	for says, cfg := range map[string]sdk.WorkerConfig{
		"Roles": {}, "twice": {Roles: []sdk.Role{"a", "a"}}, "AgentID": {Roles: []sdk.Role{"a"}, AgentID: "a b"}, "Slots": {Roles: []sdk.Role{"a"}, Slots: 1001},
	} {
		if _, err := sdk.NewWorker(c, cfg); !errors.Is(err, sdk.ErrInvalidInput) || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	w, err := sdk.NewWorker(c, sdk.WorkerConfig{Roles: []sdk.Role{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.StartProcessing(t.Context(), nil); !errors.Is(err, sdk.ErrInvalidInput) || w.AgentID() != "ada" {
		t.Errorf("with nothing to do: %v, as %s", err, w.AgentID())
	}
}
