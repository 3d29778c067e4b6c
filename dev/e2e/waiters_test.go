package e2e_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/rolecall-dev/rolecall/apiserver"
	"github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// reads counts the calls to Temporal by which a server looks at one task.
type reads struct {
	describes atomic.Int64
	polls     atomic.Int64 // long polls for the close event
	open      atomic.Int64 // of them, those under way
	mostOpen  atomic.Int64
	pages     atomic.Int64 // reads of the history that do not wait
}

// count is a gRPC interceptor.
func (r *reads) count(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	switch in := req.(type) {
	case *workflowservice.DescribeWorkflowExecutionRequest:
		r.describes.Add(1)
	case *workflowservice.GetWorkflowExecutionHistoryRequest:
		if !in.GetWaitNewEvent() {
			r.pages.Add(1)
			break
		}
		r.polls.Add(1)
		now := r.open.Add(1)
		defer r.open.Add(-1)
		for most := r.mostOpen.Load(); now > most && !r.mostOpen.CompareAndSwap(most, now); most = r.mostOpen.Load() {
		}
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

func (r *reads) String() string {
	return fmt.Sprintf("%d describes, %d long polls (at most %d at once), %d reads of the history", r.describes.Load(), r.polls.Load(), r.mostOpen.Load(), r.pages.Load())
}

// serveHere serves the API in this process, over a client whose calls are counted. arrived counts the requests.
func serveHere(t *testing.T, stack *dev.Stack, counted *reads, cfg engine.Config) (url string, arrived *atomic.Int64) {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{
		HostPort: stack.TemporalAddr(), Logger: slog.New(slog.DiscardHandler), Identity: "api", DataConverter: workflows.DataConverter(),
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(counted.count)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cfg.DataConverter, cfg.Logger = workflows.DataConverter(), slog.New(slog.DiscardHandler)
	tasks := engine.New(c, cfg)
	t.Cleanup(tasks.Close)
	api, err := apiserver.New(apiserver.Config{Addr: "127.0.0.1:0"}, tasks, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	arrived = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		api.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, arrived
}

func TestManyCallersWaitForOneTask(t *testing.T) {
	t.Parallel()
	const callers = 500
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{})
	created := s.delegate(script{"*": {"pid", "until:go", `result:{"ok":true}`}})
	s.started("0.1.pid")
	var counted reads
	url, arrived := serveHere(t, s.stack, &counted, engine.Config{})
	c, err := sdk.NewClient(sdk.Config{URL: url, ProjectID: s.project, HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}})
	s.do(err)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	answered := make([]time.Time, callers)
	var waiting sync.WaitGroup
	for i := range answered {
		waiting.Go(func() {
			task, err := c.WaitForTask(ctx, created.ID)
			answered[i] = time.Now()
			if err != nil || task.Status != sdk.StatusCompleted || string(task.Result.Output) != `{"ok":true}` {
				t.Errorf("caller %d: %+v, %v", i, task, err)
			}
		})
	}
	s.eventually("all callers wait", patience, func() error {
		if n := arrived.Load(); n < callers {
			return fmt.Errorf("%d of %d callers have asked", n, callers)
		}
		return nil
	})
	asked := time.Since(began)
	s.eventually("the task goes on for some polls", patience, func() error { // so that a server that polls for each would show
		if n := counted.polls.Load(); n < 3 {
			return fmt.Errorf("%d long polls", n)
		}
		return nil
	})
	s.touch("go")
	waiting.Wait()
	end := *s.ended(created.ID).CompletedAt
	var last time.Duration
	for _, at := range answered {
		last = max(last, at.Sub(end))
	}
	waited := time.Since(began)
	if atMost := busy(2500 * time.Millisecond); last > atMost {
		t.Errorf("the last caller was answered %s after the end, want at most %s", last, atMost)
	}
	if counted.mostOpen.Load() != 1 {
		t.Errorf("%d long polls at once, want one for the task", counted.mostOpen.Load())
	}
	if counted.polls.Load() > 3+int64(waited/time.Second)+1 { // the server holds one for a second
		t.Errorf("%d long polls in %s, want one after the other", counted.polls.Load(), waited)
	}
	if counted.describes.Load() > 10+5*int64(waited/time.Second) { // one look serves everybody for 200 ms
		t.Errorf("%d describes in %s", counted.describes.Load(), waited)
	}
	t.Logf("%d callers had asked after %s and were answered within %s of the end; in %s %s", callers,
		asked.Round(time.Millisecond), last.Round(time.Millisecond), waited.Round(time.Millisecond), &counted)
}

func TestAFinishedTaskIsReadWithoutAControlWorker(t *testing.T) {
	t.Parallel()
	s := newScene(t, dev.ForTest(t, dev.Options{}))
	s.worker("worker", dev.Worker{})
	completed := s.delegate(script{"0.1": {"exit:1"}, "*": {"progress:50", `result:{"ok":true}`}})
	failed := s.delegate(script{"*": {"fail:broken_for_good:final"}})
	cancelled := s.delegate(script{"*": {"ask:Which port?"}})
	s.is("the question", cancelled.ID, func(task *sdk.Task) bool { return task.Status == sdk.StatusInputRequired })
	s.cancel(cancelled.ID)
	before := []*sdk.Task{s.ended(completed.ID), s.ended(failed.ID), s.ended(cancelled.ID)}
	for i, want := range []sdk.Status{sdk.StatusCompleted, sdk.StatusFailed, sdk.StatusCancelled} {
		if before[i].Status != want {
			t.Fatalf("task %d is %s, want %s", i, before[i].Status, want)
		}
	}
	s.do(s.stack.Control.Kill())
	s.do(s.stack.API.Kill()) // what it remembers must not answer
	s.do(s.stack.API.Restart(t.Context()))
	for _, want := range before {
		began := time.Now()
		got, err := s.client.GetTask(t.Context(), want.ID)
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("without a control worker: %v %s", err, cmp.Diff(want, got))
		}
		if took := time.Since(began); took > busy(2*time.Second) {
			t.Errorf("GET took %s", took)
		}
		if waited := s.ended(want.ID); waited.Status != want.Status {
			t.Errorf("a wait answers %s", waited.Status)
		}
	}
}
