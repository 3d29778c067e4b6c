package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	hangs    func(verb string) bool // the call is never answered
	stubborn bool                   // a claim that is broken off gets what is there all the same
	agents   []sdk.AgentRequest     // that registered
	unknown  int                    // claims from before that
	statuses []sdk.AgentStatus      // that were said, each once in a row
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
	answers, hangs := d.answers, d.hangs
	d.mu.Unlock()
	if hangs != nil && hangs(verb) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
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
	case "agents":
		var a sdk.AgentRequest
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
			return nil, err
		}
		d.agents = append(d.agents, a)
		return reply(201, sdk.Agent{ID: a.ID})
	case "heartbeat":
		var h sdk.AgentHeartbeat
		if err := json.NewDecoder(r.Body).Decode(&h); err != nil {
			return nil, err
		}
		if n := len(d.statuses); n == 0 || d.statuses[n-1] != h.Status {
			d.statuses = append(d.statuses, h.Status)
		}
		return reply(200, sdk.Agent{ID: parts[1]})
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
	if len(d.agents) == 0 {
		d.unknown++
	}
	d.mu.Unlock()
	late := time.After(time.Duration(in.WaitMs) * time.Millisecond)
	select {
	case <-d.arrived:
	case <-late:
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
	case <-r.Context().Done():
		d.mu.Lock()
		stubborn := d.stubborn
		d.mu.Unlock()
		if !stubborn {
			return nil, r.Context().Err()
		}
		<-d.arrived
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

// TestWorkerTellsAProgressOnce: also when the handler returns while the word with it is under way, and when there is more to tell later.
func TestWorkerTellsAProgressOnce(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]time.Duration{"the end comes meanwhile": 100 * time.Millisecond, "the end comes later": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &desk{answers: func(verb string) *sdk.Error {
					if verb == "progress" {
						pass(300 * time.Millisecond)
					}
					return nil
				}}
				stop := working(t, d, sdk.WorkerConfig{}, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
					pass(1500 * time.Millisecond)
					r.Progress(sdk.Progress{Percentage: 60})
					pass(time.Second)
					err := r.Resume(json.RawMessage(`{"page":1}`))
					pass(rest)
					return &sdk.Result{}, err
				})
				d.offer("one")
				pass(10 * time.Second)
				words, ends := d.said()
				told := slices.DeleteFunc(words, func(w sdk.LeaseProgress) bool { return w.Silent() })
				if len(told) != 1 || len(ends) != 1 {
					t.Errorf("%d words of a progress, ends %q", len(told), ends)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
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
		}, nil, `fail {"error":{"code":"broke","message":"no","retryable":false}}`},
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

// A worker that stops breaks its claims off, and gives back without a word on it what they bring all the same.
func TestWorkerDrainsItsClaims(t *testing.T) {
	t.Parallel()
	for _, stubborn := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d := &desk{stubborn: stubborn}
			stop := working(t, d, sdk.WorkerConfig{Slots: 10}, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
				t.Error("the handler was called")
				return nil, nil
			})
			pass(time.Second)
			began, want := time.Now(), 0
			if stubborn {
				want = 10
				go func() {
					pass(time.Second)
					for n := range want {
						d.offer(strconv.Itoa(n), func(l *sdk.Lease) { l.Resume = json.RawMessage(`{"page":1}`) })
					}
				}()
			}
			if err := stop(); err != nil || time.Since(began) > time.Second {
				t.Errorf("%v after %s", err, time.Since(began))
			}
			words, ends := d.said()
			if len(ends) != want || len(words) != 0 {
				t.Errorf("ended with %q after %+v", ends, words)
			}
			for _, end := range ends {
				if !strings.Contains(end, `fail {"error":{"code":"interrupted"`) || strings.Contains(end, "resume") {
					t.Errorf("given back with %s", end)
				}
			}
		})
	}
}

// A lease is in no log and no error, whatever happens to the calls about it.
func TestWorkerHidesItsLeases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, answer := range map[string]func(*http.Request) (*http.Response, error){
			"hangs": func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			},
			"breaks": func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
			"no JSON": func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("<html>"))}, nil
			},
			"elsewhere": func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"https://elsewhere.test" + r.URL.Path}}, Body: http.NoBody}, nil
			},
		} {
			c := client(t, sdk.Config{AgentID: "ada", HTTPClient: &http.Client{
				Transport:     roundTrip(answer),
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // as the client's own has it
			}})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			_, err := c.ReportLease(ctx, "rl_secret", sdk.LeaseProgress{})
			cancel()
			if name == "elsewhere" && (err == nil || !strings.Contains(err.Error(), "redirected to")) {
				t.Errorf("a redirect: %v", err)
			}
			if err == nil || strings.Contains(fmt.Sprintf("%v %+v %v", err, err, errors.Unwrap(err)), "rl_secret") {
				t.Errorf("%s: %v", name, err)
			}
		}
		var log strings.Builder
		d := &desk{hangs: func(verb string) bool { return verb != "claim" }}
		w, err := sdk.NewWorker(d.client(t), sdk.WorkerConfig{Roles: []sdk.Role{"coder"}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		d.offer("secret")
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if err := w.StartProcessing(ctx, sdk.HandlerFunc(func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
			return until(ctx)
		})); err != nil {
			t.Error(err)
		}
		if got := log.String(); !strings.Contains(got, "was not taken") || !strings.Contains(got, "given up") || strings.Contains(got, "rl_secret") {
			t.Errorf("logged %s", got)
		}
	})
}

// A call that ends a lease and hangs does not use the lease up: heartbeats go on, and it is sent again. So it is after a failure of the service.
func TestWorkerTellsTheEndAgain(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"hangs", "fails"} {
		synctest.Test(t, func(t *testing.T) {
			d := &desk{}
			var tries atomic.Int64
			first := func(verb string, few int64) bool { return verb == "complete" && tries.Add(1) <= few }
			if how == "hangs" {
				d.hangs = func(verb string) bool { return first(verb, 3) }
			} else {
				d.answers = func(verb string) *sdk.Error {
					if first(verb, 20) {
						return sdk.Errorf(sdk.CodeInternal, "oh")
					}
					return nil
				}
			}
			stop := working(t, d, sdk.WorkerConfig{}, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
				return &sdk.Result{Output: json.RawMessage(`1`)}, nil
			})
			d.offer("one")
			pass(30 * time.Second)
			words, ends := d.said()
			if len(ends) != 1 || !strings.HasPrefix(ends[0], "complete") {
				t.Errorf("%s: ended with %q after %d tries", how, ends, tries.Load())
			}
			if len(words) < 9 {
				t.Errorf("%s: %d heartbeats while the end was told", how, len(words))
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// An error of the service does not end the worker, and claims that end empty at once do not make it spin.
func TestWorkerClaimsWithPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{answers: func(verb string) *sdk.Error {
			if verb == "claim" {
				return sdk.Errorf(sdk.CodeInternal, "oh")
			}
			return nil
		}}
		stop := working(t, d, sdk.WorkerConfig{}, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			return &sdk.Result{}, nil
		})
		pass(time.Minute)
		d.mu.Lock()
		d.answers = nil
		d.mu.Unlock()
		d.offer("one")
		pass(20 * time.Second)
		if _, ends := d.said(); len(ends) != 1 {
			t.Errorf("ended with %q", ends)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}

		claims := 0
		c := client(t, sdk.Config{AgentID: "ada", HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/claim") {
				claims++
			}
			return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
		})}})
		w, err := sdk.NewWorker(c, sdk.WorkerConfig{Roles: []sdk.Role{"coder"}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithTimeout(t.Context(), time.Minute)
		defer end()
		if err := w.StartProcessing(ctx, sdk.HandlerFunc(nil)); err != nil || claims < 10 || claims > 40 {
			t.Errorf("%v after %d claims", err, claims)
		}
	})
}

// A worker claims without its registration where that takes long.
func TestWorkerIsNotHeldUpByTheRegistry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{hangs: func(verb string) bool { return verb == "agents" }}
		stop := working(t, d, sdk.WorkerConfig{Roles: []sdk.Role{"coder"}}, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			return &sdk.Result{Output: json.RawMessage(`1`)}, nil
		})
		d.offer("one")
		for _, want := range []int{0, 1} {
			pass(1500 * time.Millisecond)
			if _, ends := d.said(); len(ends) != want {
				t.Errorf("ended with %q", ends)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A worker is in the registry while it works, and can not be addressed while it drains.
func TestWorkerIsPresent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		cfg := sdk.WorkerConfig{
			Roles: []sdk.Role{"coder", "tester"}, Slots: 2, Name: "Ada", Capabilities: []string{"go"}, Addressable: true,
			DrainGrace: 2 * time.Second, // so soon after the last heartbeat the agent does not say that it is idle before it says that it goes
		}
		stop := working(t, d, cfg, func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
			return until(ctx)
		})
		pass(time.Second)
		d.offer("one")
		pass(10 * time.Second)
		d.mu.Lock()
		if a := d.agents[0]; a.ID != "ada" || a.Name != "Ada" || a.Role != "coder" || a.Slots != 2 || !a.Addressable || len(a.Capabilities) != 1 || a.Metadata["roles"] != "coder,tester" {
			t.Errorf("registered %+v", a)
		}
		d.mu.Unlock()
		if err := stop(); err != nil {
			t.Error(err)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.agents) != 2 || d.agents[1].Addressable || d.unknown > 0 {
			t.Errorf("registered %+v, after %d claims", d.agents, d.unknown)
		}
		if !slices.Equal(d.statuses, []sdk.AgentStatus{sdk.AgentIdle, sdk.AgentBusy, sdk.AgentOffline}) {
			t.Errorf("said %v", d.statuses)
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

// A service does tasks by leases, for the roles of their types.
func TestServiceDoesTasks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		svc := sdk.NewService(d.client(t), "n", sdk.ServeTasks(sdk.WorkerConfig{AgentID: "bob", Logger: slog.New(slog.DiscardHandler)}))
		svc.OnTask(sdk.TypeCodeWrite, sdk.HandlerFunc(func(_ context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
			return &sdk.Result{Output: json.RawMessage(`"` + a.Task.ID + `"`)}, nil
		}))
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		d.offer("one")
		if err := svc.Run(ctx); err != nil {
			t.Error(err)
		}
		if _, ends := d.said(); len(ends) != 1 || !strings.Contains(ends[0], `"output":"one"`) || d.claimant != "bob" || d.claimed[0] != "coder" {
			t.Errorf("ended with %q, claimed for %q as %s", ends, d.claimed, d.claimant)
		}
		d.answers = func(string) *sdk.Error { return sdk.ErrForbidden }
		again := sdk.NewService(d.client(t), "n", sdk.ServeTasks(sdk.WorkerConfig{Logger: slog.New(slog.DiscardHandler)}))
		again.OnTask(sdk.TypeCodeWrite, sdk.HandlerFunc(nil))
		again.OnEvent("*", func(context.Context, *sdk.Event) error { return nil })
		if err := again.Run(t.Context()); !errors.Is(err, sdk.ErrForbidden) { // either of the two ends the other
			t.Errorf("refused: %v", err)
		}
		none := sdk.NewService(d.client(t), "n")
		none.OnTask("shop.pack", sdk.HandlerFunc(nil))
		if err := none.Run(t.Context()); !errors.Is(err, sdk.ErrInvalidInput) {
			t.Errorf("a type without a role: %v", err)
		}
	})
}

func TestWorkerConfigFaults(t *testing.T) {
	t.Parallel()
	d := &desk{}
	c := d.client(t)
	for says, cfg := range map[string]sdk.WorkerConfig{
		"Roles": {}, "twice": {Roles: []sdk.Role{"a", "a"}}, "AgentID": {Roles: []sdk.Role{"a"}, AgentID: "a b"}, "Slots": {Roles: []sdk.Role{"a"}, Slots: 1001},
		"Name": {Roles: []sdk.Role{"a"}, Name: "a\nb"}, "Capabilities[0]": {Roles: []sdk.Role{"a"}, Capabilities: []string{""}},
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
