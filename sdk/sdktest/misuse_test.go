package sdktest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// recorder is a test that keeps what it failed with.
type recorder struct {
	t *testing.T

	mu       sync.Mutex
	failures []string
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.t.Cleanup(f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failed runs f, which may fail the test, and answers what it failed with.
func (r *recorder) failed(f func()) string {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.failures, "\n")
}

func TestAHandlerThatWaitsWithoutSayingSo(t *testing.T) {
	t.Parallel()
	tb := &recorder{t: t}
	srv := sdktest.New(tb, sdktest.Patience(50*time.Millisecond))
	srv.Agent(sdk.RoleCoder, sdk.HandlerFunc(func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}), sdktest.AgentID("ann"))
	task := create(t, srv.Client())
	before := srv.Clock().Now()
	got := tb.failed(func() { srv.Clock().Advance(time.Hour) })
	for _, part := range []string{"agent ann is at attempt 0.1 of task " + task.ID, "sdktest.Wait"} {
		if !strings.Contains(got, part) {
			t.Errorf("the failure %q does not say %q", got, part)
		}
	}
	if now := srv.Clock().Now(); !now.Equal(before) {
		t.Errorf("the clock moved on to %s", now)
	}
}

func TestAwaitWithoutSuccess(t *testing.T) {
	t.Parallel()
	tb := &recorder{t: t}
	srv := sdktest.New(tb, sdktest.Patience(20*time.Millisecond))
	id := create(t, srv.Client()).ID
	for want, f := range map[string]func(){
		"there are 1 tasks of":     func() { srv.AwaitTasks(2, sdk.TaskFilter{}) },
		"it is queued":             func() { srv.AwaitTask(id, func(t sdk.Task) bool { return t.Status == sdk.StatusRunning }) },
		"can not be moved back":    func() { srv.Clock().Advance(-1) },
		"an agent needs a handler": func() { srv.Agent(sdk.RoleCoder, nil) },
		"is not well-formed":       func() { srv.Agent("A Role", sdktest.Script()) },
		"query.status":             func() { srv.AwaitTasks(1, sdk.TaskFilter{Status: "lost"}) },
	} {
		if got := tb.failed(f); !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}
