package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestCallsOnTheWire(t *testing.T) {
	t.Parallel()
	task := wholeTask()
	for name, tc := range map[string]struct {
		call func(context.Context, *sdk.Client) (any, error)
		want asked
	}{
		"RequestCode": {
			func(ctx context.Context, c *sdk.Client) (any, error) {
				return c.RequestCode(ctx, "Write <it>", sdk.Input(map[string]string{"a": "<&>"}), sdk.IdempotencyKey("k1"))
			},
			asked{Method: "POST", URI: "/behind/a/proxy/v1/tasks", Body: `{"type":"code.write","title":"Write <it>","input":{"a":"<&>"}}`},
		},
		"DelegateToRole": {
			func(ctx context.Context, c *sdk.Client) (any, error) {
				return c.DelegateToRole(ctx, "painter", "art.paint", "Paint", sdk.WithPriority("high"), sdk.Metadata(map[string]string{"a": "1"}),
					sdk.Metadata(map[string]string{"b": "2"}), sdk.WithFallback(sdk.Stage{Role: "coder"}), sdk.ToAgent("p1"), sdk.Needs("oil"),
					sdk.WithRetry(sdk.Retry{MaxAttempts: 1}), sdk.WithTimeouts(sdk.Timeouts{QueueMs: 1000}), sdk.Description("d"),
					sdk.ChildOf("p"), sdk.Detached(), sdk.Correlation("c"), sdk.Fairness("f"))
			},
			asked{Method: "POST", URI: "/behind/a/proxy/v1/tasks", Body: `{"type":"art.paint","role":"painter","title":"Paint","description":"d","priority":"high",` +
				`"agentId":"p1","capabilities":["oil"],"metadata":{"a":"1","b":"2"},"parentId":"p","detached":true,"correlationId":"c","fairnessKey":"f",` +
				`"retry":{"maxAttempts":1},"timeouts":{"queueMs":1000},"fallback":[{"role":"coder"}]}`},
		},
		"GetTask": {
			func(ctx context.Context, c *sdk.Client) (any, error) { return c.GetTask(ctx, "t1") },
			asked{Method: "GET", URI: "/behind/a/proxy/v1/tasks/t1"},
		},
		"CancelTask": {
			func(ctx context.Context, c *sdk.Client) (any, error) { return c.CancelTask(ctx, "t1", "not needed") },
			asked{Method: "POST", URI: "/behind/a/proxy/v1/tasks/t1/cancel", Body: `{"reason":"not needed"}`},
		},
		"CancelTask without a reason": {
			func(ctx context.Context, c *sdk.Client) (any, error) { return c.CancelTask(ctx, "t1", "") },
			asked{Method: "POST", URI: "/behind/a/proxy/v1/tasks/t1/cancel", Body: `{}`},
		},
		"RetryTask": {
			func(ctx context.Context, c *sdk.Client) (any, error) {
				return c.RetryTask(ctx, "t1", sdk.IdempotencyKey("k1"))
			},
			asked{Method: "POST", URI: "/behind/a/proxy/v1/tasks/t1/retry", Body: `{}`},
		},
		"ProvideInput": {
			func(ctx context.Context, c *sdk.Client) (any, error) {
				return c.ProvideInput(ctx, "t1", "q1", json.RawMessage(`{"yes": true}`))
			},
			asked{Method: "POST", URI: "/behind/a/proxy/v1/tasks/t1/input", Body: `{"requestId":"q1","answer":{"yes":true}}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: []answer{says(200, task)}}
			got, err := tc.call(t.Context(), s.serve(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&task, got); diff != "" {
				t.Error(diff)
			}
			all := s.requests()
			if len(all) != 1 {
				t.Fatalf("%d requests, want 1", len(all))
			}
			r := all[0]
			if key := r.Header.Get("Idempotency-Key"); (key != "") != (tc.want.URI == "/behind/a/proxy/v1/tasks" || strings.HasSuffix(tc.want.URI, "/retry")) {
				t.Errorf("Idempotency-Key is %q", key)
			}
			r.Header = nil
			if diff := cmp.Diff(tc.want, r); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProgressAnswersItems(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{says(200, map[string]any{"items": []sdk.Progress{wholeProgress()}, "more": 1})}}
	got, err := s.serve(t).Progress(t.Context(), "t1")
	if diff := cmp.Diff([]sdk.Progress{wholeProgress()}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{says(200, wholeTask())}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	all := client(t, sdk.Config{URL: server.URL, APIKey: "rk_secret", ProjectID: "shop", OrganizationID: "acme", UserAgent: "mine/1"})
	none := client(t, sdk.Config{URL: server.URL})
	for _, c := range []*sdk.Client{all, none} {
		if _, err := c.CreateTask(t.Context(), request(nil), sdk.IdempotencyKey("key 1")); err != nil {
			t.Fatal(err)
		}
	}
	pick := func(h http.Header) map[string]string {
		out := map[string]string{}
		for _, name := range []string{"Authorization", "Rolecall-Project", "Rolecall-Organization", "User-Agent", "Content-Type", "Idempotency-Key"} {
			if v, ok := h[name]; ok {
				out[name] = strings.Join(v, "|")
			}
		}
		return out
	}
	want := []map[string]string{
		{
			"Authorization": "Bearer rk_secret", "Rolecall-Project": "shop", "Rolecall-Organization": "acme", "User-Agent": "mine/1",
			"Content-Type": "application/json", "Idempotency-Key": "key 1",
		},
		{"User-Agent": "rolecall-go", "Content-Type": "application/json", "Idempotency-Key": "key 1"},
	}
	var got []map[string]string
	for _, r := range s.requests() {
		got = append(got, pick(r.Header))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestWrongCallsAreNotSent: what can be known to be wrong here is said here, all at once.
func TestWrongCallsAreNotSent(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{says(200, wholeTask())}}
	c := s.serve(t)
	for name, tc := range map[string]struct {
		call func(context.Context) (any, error)
		want string // in the error
	}{
		"GetTask":         {func(ctx context.Context) (any, error) { return c.GetTask(ctx, "../t1") }, "task id"},
		"WaitForTask":     {func(ctx context.Context) (any, error) { return c.WaitForTask(ctx, "a:b") }, "task id"},
		"CancelTask":      {func(ctx context.Context) (any, error) { return c.CancelTask(ctx, "", "") }, "task id"},
		"Progress":        {func(ctx context.Context) (any, error) { return c.Progress(ctx, "a%2fb") }, "task id"},
		"long reason":     {func(ctx context.Context) (any, error) { return c.CancelTask(ctx, "t1", text(1025)) }, "$.reason"},
		"no question":     {func(ctx context.Context) (any, error) { return c.ProvideInput(ctx, "t1", "", 1) }, "$.requestId"},
		"no id":           {func(ctx context.Context) (any, error) { return c.ProvideInput(ctx, "t1", "q 1", 1) }, "$.requestId"},
		"answer too long": {func(ctx context.Context) (any, error) { return c.ProvideInput(ctx, "t1", "q", text(65536)) }, "$.answer"},
		"answer no JSON":  {func(ctx context.Context) (any, error) { return c.ProvideInput(ctx, "t1", "q", make(chan int)) }, "$.answer"},
		"input no JSON":   {func(ctx context.Context) (any, error) { return c.RequestCode(ctx, "t", sdk.Input(make(chan int))) }, "$.input"},
		"empty key":       {func(ctx context.Context) (any, error) { return c.RequestCode(ctx, "t", sdk.IdempotencyKey("")) }, "Idempotency-Key"},
		"key of two lines": {func(ctx context.Context) (any, error) {
			return c.RequestCode(ctx, "t", sdk.IdempotencyKey("a\r\nb: c"))
		}, "Idempotency-Key"},
		"several": {func(ctx context.Context) (any, error) {
			return c.RequestCode(ctx, "", sdk.ToAgent("a.b"), sdk.Input(make(chan int)))
		}, "$.input can not be written as JSON: json: unsupported type: chan int; $.title is required; $.agentId must"},
	} {
		if _, err := tc.call(t.Context()); !errors.Is(err, sdk.ErrInvalidInput) || !strings.Contains(fmt.Sprint(err), tc.want) {
			t.Errorf("%s: %v, want invalid_input with %q", name, err, tc.want)
		}
	}
	for _, err := range c.WatchTask(t.Context(), "a.b") {
		if !errors.Is(err, sdk.ErrInvalidInput) {
			t.Errorf("WatchTask: %v", err)
		}
	}
	if n := len(s.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	long := sdk.Task{ID: "t1", Description: text(9 << 20)}
	for name, tc := range map[string]struct {
		answer answer
		want   error
		says   string
	}{
		"a problem":       {problem("conflict", "it has ended"), sdk.ErrConflict, "conflict: it has ended"},
		"a missing task":  {problem("not_found", "no such task"), sdk.ErrNotFound, "no such task"},
		"a code of later": {answer{status: 418, header: map[string]string{"Content-Type": sdk.ProblemContentType}, body: `{"code":"teapot","detail":"short and stout"}`}, &sdk.Error{Code: "teapot"}, "short and stout"},
		"a proxy's page":  {answer{status: 403, body: "<html>"}, sdk.ErrForbidden, "proxy"},
		"another service": {answer{status: 200, body: "<html>"}, sdk.ErrInternal, "did not answer like rolecall"},
		"a redirect":      {answer{status: 302, header: map[string]string{"Location": "http://elsewhere/"}}, sdk.ErrInternal, "http://elsewhere/"},
		"a huge answer":   {says(200, long), sdk.ErrPayloadTooLarge, "larger than"},
	} {
		s := &script{answers: []answer{tc.answer}}
		_, err := s.serve(t).GetTask(t.Context(), "t1")
		if !errors.Is(err, tc.want) || !strings.Contains(fmt.Sprint(err), tc.says) {
			t.Errorf("%s: %v, want %v with %q", name, err, tc.want, tc.says)
		}
		if n := len(s.requests()); n != 1 {
			t.Errorf("%s: %d requests, want 1", name, n)
		}
	}
}

func TestUnreachableServiceIsNamed(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	_, err := client(t, sdk.Config{URL: gone.URL}).CancelTask(t.Context(), "t1", "")
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok || e.Code != sdk.CodeUnavailable || e.Cause == nil || !strings.Contains(err.Error(), gone.URL) || !strings.Contains(err.Error(), "EVENTS_SERVICE_URL") {
		t.Errorf("%v", err)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer answer
		want   error
	}{
		"ready":           {answer{status: 200, body: `{"status":"ready"}`}, nil},
		"not ready":       {problem("unavailable", "Temporal is away"), sdk.ErrUnavailable},
		"another service": {answer{status: 200, body: `{"up":true}`}, sdk.ErrInternal},
	} {
		s := &script{answers: []answer{tc.answer}}
		if err := s.serve(t).Ready(t.Context()); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if r := s.requests(); len(r) != 1 || r[0].URI != "/behind/a/proxy/readyz" {
			t.Errorf("%s: asked %v", name, r)
		}
	}
}
