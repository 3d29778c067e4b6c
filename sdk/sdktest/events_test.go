package sdktest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// log reads everything that the log has of the server's project, as "role type".
func log(t *testing.T, c *sdk.Client) []string {
	t.Helper()
	list := []string{}
	for e, err := range c.Events(t.Context(), sdk.EventFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%d %s", e.Seq, e.Type))
	}
	return list
}

// TestWhatWasBeforeTheLog asks for events after tasks have ended: their stories are there, in the order of what happened.
func TestWhatWasBeforeTheLog(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	create(t, c, func(r *sdk.TaskRequest) { r.Role = sdk.RoleTester })
	create(t, c)
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Progress(50, "half").Complete(1)))
	srv.Settle()
	want := []string{
		"1 task.created", "1 task.created", "2 task.assigned", "3 task.started", "4 task.progress", "5 task.completed", "6 code.generated",
	}
	if d := cmp.Diff(want, log(t, c)); d != "" {
		t.Error(d)
	}
	srv.Agent(sdk.RoleTester, sdktest.Script(sdktest.Attempt().Work(time.Minute).Fail(sdk.Final("", errors.New("no")))))
	srv.Clock().Advance(time.Minute)
	if d := cmp.Diff(append(want, "2 task.assigned", "3 task.started", "4 task.failed"), log(t, c)); d != "" {
		t.Error(d)
	}
}

// TestTheEndIsToldBeforeItIsSeen reads the log as soon as the end of a task can be seen, each time.
func TestTheEndIsToldBeforeItIsSeen(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Complete(1)), sdktest.Slots(4))
	log(t, c) // it is open
	for n := range 20 {
		id := create(t, c).ID
		switch n % 3 {
		case 0:
			if _, err := c.WaitForTask(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		case 1:
			srv.AwaitTask(id, func(t sdk.Task) bool { return t.Status.Terminal() })
		default:
			srv.Settle()
		}
		page, err := c.ListEvents(t.Context(), sdk.EventFilter{Subject: "task/" + id, Limit: 100}, "")
		if err != nil || len(page.Items) != 5 {
			t.Fatalf("of task %d there are %d events, %v", n, len(page.Items), err)
		}
	}
}

// TestAService lets events call a handler that delegates.
func TestAService(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	service := sdk.NewService(c, "shipper", sdk.StartFrom("beginning"))
	service.OnEvent("release.wanted", func(ctx context.Context, e *sdk.Event) error {
		_, err := c.RequestCode(ctx, "Release "+e.Subject)
		return err
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	if _, err := c.Publish(t.Context(), sdk.EventRequest{Type: "release.wanted", Subject: "v1"}); err != nil {
		t.Fatal(err)
	}
	if task := srv.AwaitTasks(1, sdk.TaskFilter{})[0]; task.Title != "Release v1" {
		t.Errorf("it handed out %q", task.Title)
	}
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestAStreamIsLeft follows events in memory and over the network, and goes before the stream ends.
func TestAStreamIsLeft(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	remote, err := sdk.NewClient(sdk.Config{URL: srv.URL()})
	if err != nil {
		t.Fatal(err)
	}
	id := create(t, srv.Client()).ID
	for _, c := range []*sdk.Client{srv.Client(), remote} {
		for e, err := range c.TaskEvents(t.Context(), id) {
			if err != nil || e.Type != sdk.EventTaskCreated {
				t.Errorf("%+v, %v", e, err)
			}
			break
		}
	}
}

// TestAStreamEndsWithTheTest leaves a stream open: the end of the test ends it.
func TestAStreamEndsWithTheTest(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	t.Run("inner", func(t *testing.T) {
		srv := sdktest.New(t)
		ctx, stop := context.WithCancel(context.Background()) // outlives the server
		c := srv.Client()
		create(t, c)
		first := make(chan struct{}, 1)
		go func() {
			defer close(ended)
			for e, err := range c.Subscribe(ctx, sdk.EventFilter{FromStart: true}, sdk.OnInterruption(func(error) { stop() })) {
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("%+v, %v", e, err)
				}
				first <- struct{}{}
			}
		}()
		<-first
	})
	<-ended
}
