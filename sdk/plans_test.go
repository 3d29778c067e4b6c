package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func planOfOne() sdk.PlanRequest {
	return sdk.PlanRequest{Title: "one step", Steps: []sdk.PlanStep{{ID: "a", Type: sdk.TypeCodeWrite, Title: "the step"}}}
}

// TestPlanCalls: what each call sends, and that those that may be repeated are.
func TestPlanCalls(t *testing.T) {
	t.Parallel()
	away := problem("unavailable", "Temporal is away")
	whole := func(p *sdk.Plan, err error) error {
		if err == nil && !cmp.Equal(wholePlan(), *p, cmp.Comparer(sameJSON)) {
			err = errors.New("not what was answered")
		}
		return err
	}
	for name, tc := range map[string]struct {
		call    func(context.Context, *sdk.Client) error
		answers []answer
		want    []string
		keyed   bool
	}{
		"create": {func(ctx context.Context, c *sdk.Client) error {
			return whole(c.CreatePlan(ctx, planOfOne()))
		}, []answer{away, says(201, wholePlan())}, []string{"POST /v1/plans", "POST /v1/plans"}, true},
		"get": {func(ctx context.Context, c *sdk.Client) error {
			return whole(c.GetPlan(ctx, "pl1"))
		}, []answer{away, says(200, wholePlan())}, []string{"GET /v1/plans/pl1", "GET /v1/plans/pl1"}, false},
		"cancel": {func(ctx context.Context, c *sdk.Client) error {
			return whole(c.CancelPlan(ctx, "pl1", "enough"))
		}, []answer{says(202, wholePlan())}, []string{"POST /v1/plans/pl1/cancel"}, false},
		"cancel, once": {func(ctx context.Context, c *sdk.Client) error {
			if _, err := c.CancelPlan(ctx, "pl1", ""); !errors.Is(err, sdk.ErrUnavailable) {
				return errors.New("it was sent again")
			}
			return nil
		}, []answer{away}, []string{"POST /v1/plans/pl1/cancel"}, false},
		"wait": {func(ctx context.Context, c *sdk.Client) error {
			return whole(c.WaitForPlan(ctx, "pl1"))
		}, []answer{away, says(200, wholePlan())}, []string{"GET /v1/plans/pl1?waitMs=30000", "GET /v1/plans/pl1?waitMs=30000"}, false},
		"list": {func(ctx context.Context, c *sdk.Client) error {
			var ids []string
			for p, err := range c.Plans(ctx, sdk.PlanFilter{Status: "open", Limit: 2}) {
				if err != nil {
					return err
				}
				ids = append(ids, p.ID)
			}
			if !slices.Equal(ids, []string{"a", "b", "c"}) {
				return errors.New(strings.Join(ids, " "))
			}
			return nil
		}, []answer{
			says(200, sdk.PlanPage{Items: []sdk.Plan{{ID: "a"}, {ID: "b"}}, NextCursor: "n"}),
			says(200, sdk.PlanPage{Items: []sdk.Plan{{ID: "b"}, {ID: "c"}}}),
		}, []string{"GET /v1/plans?limit=2&status=open", "GET /v1/plans?cursor=n&limit=2&status=open"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(n int, _ *http.Request) (answer, error) { return tc.answers[n], nil }, func(t *testing.T, c *sdk.Client, w *wire) {
				if err := tc.call(t.Context(), c); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(tc.want, w.asked); diff != "" {
					t.Error(diff)
				}
				for _, k := range w.keys {
					if k != w.keys[0] || (k != "") != tc.keyed {
						t.Errorf("the keys are %q", w.keys)
					}
				}
			})
		})
	}
}

// TestPlanIsSentAsItIs: with the caller's key, and nothing added.
func TestPlanIsSentAsItIs(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{says(201, wholePlan())}}
	if _, err := s.serve(t).CreatePlan(t.Context(), planOfOne(), sdk.IdempotencyKey("mine")); err != nil {
		t.Fatal(err)
	}
	r := s.requests()[0]
	var body any
	if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"title": "one step", "steps": []any{map[string]any{"id": "a", "type": "code.write", "title": "the step"}}}
	if diff := cmp.Diff(any(want), body); diff != "" || r.Header.Get("Idempotency-Key") != "mine" {
		t.Errorf("with the key %q: %s", r.Header.Get("Idempotency-Key"), diff)
	}
}

// TestPlanCallsAreCheckedFirst: what can not be meant is not sent.
func TestPlanCallsAreCheckedFirst(t *testing.T) {
	t.Parallel()
	bubble(t, func(int, *http.Request) (answer, error) { return says(200, wholePlan()), nil }, func(t *testing.T, c *sdk.Client, w *wire) {
		ctx := t.Context()
		untitled := planOfOne()
		untitled.Title = ""
		_, created := c.CreatePlan(ctx, untitled, sdk.IdempotencyKey(""))
		_, get := c.GetPlan(ctx, "a/b")
		_, waited := c.WaitForPlan(ctx, "")
		_, cancelled := c.CancelPlan(ctx, "..", "")
		_, reason := c.CancelPlan(ctx, "pl1", text(sdk.MaxReason+1))
		_, list := c.ListPlans(ctx, sdk.PlanFilter{Status: "ended", Limit: 201}, "")
		var followed error
		for _, err := range c.PlanEvents(ctx, "a b") {
			followed = err
		}
		var resumed error
		for _, err := range c.PlanEvents(ctx, "pl1", sdk.ResumeAfter("x")) {
			resumed = err
		}
		for name, tc := range map[string]struct {
			err   error
			paths []string
		}{
			"create": {created, []string{"Idempotency-Key", "$.title"}}, "get": {get, nil}, "wait": {waited, nil}, "cancel": {cancelled, nil},
			"reason": {reason, []string{"$.reason"}}, "list": {list, []string{"query.status", "query.limit"}}, "follow": {followed, nil}, "resume": {resumed, nil},
		} {
			if diff := cmp.Diff(tc.paths, pathsOf(t, tc.err)); diff != "" || tc.err == nil {
				t.Errorf("%s: %v: %s", name, tc.err, diff)
			}
		}
		if len(w.asked) != 0 {
			t.Errorf("sent %v", w.asked)
		}
	})
}

// TestWaitForPlan holds the line, over an outage, to the end of the plan or of the caller's patience.
func TestWaitForPlan(t *testing.T) {
	t.Parallel()
	running := sdk.Plan{ID: "pl1", Status: sdk.StatusRunning}
	bubble(t, func(n int, r *http.Request) (answer, error) {
		switch n {
		case 0:
			return says(200, running), hold(r, 30*time.Second)
		case 1, 2:
			return answer{}, syscall.ECONNREFUSED
		default:
			return says(200, wholePlan()), hold(r, 5*time.Second)
		}
	}, func(t *testing.T, c *sdk.Client, w *wire) {
		plan, err := c.WaitForPlan(t.Context(), "pl1")
		if err != nil || plan.Status != sdk.StatusFailed || plan.Err() == nil || len(w.at) != 4 {
			t.Errorf("%v %+v after requests at %v: a failed plan is an answer", err, plan, w.at)
		}
	})
	bubble(t, func(_ int, r *http.Request) (answer, error) { return says(200, running), hold(r, 9*time.Second) },
		func(t *testing.T, c *sdk.Client, w *wire) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			plan, err := c.WaitForPlan(ctx, "pl1")
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for plan pl1") || plan == nil || time.Since(w.began) != 10*time.Second {
				t.Errorf("%v %+v after %v", err, plan, time.Since(w.began))
			}
		})
	bubble(t, func(int, *http.Request) (answer, error) { return problem("not_found", "no such plan"), nil },
		func(t *testing.T, c *sdk.Client, w *wire) {
			if _, err := c.WaitForPlan(t.Context(), "pl1"); !errors.Is(err, sdk.ErrNotFound) || len(w.at) != 1 {
				t.Errorf("%v after %d requests", err, len(w.at))
			}
		})
}

func TestWhatBecameOfAPlan(t *testing.T) {
	t.Parallel()
	for want, plan := range map[string]sdk.Plan{
		"agent_failed: no ink":              wholePlan(),
		"":                                  {Status: sdk.StatusCompleted},
		"cancelled: the plan was cancelled": {Status: sdk.StatusCancelled},
		"step_failed: the plan failed without saying why": {Status: sdk.StatusFailed},
	} {
		got := ""
		if err := plan.Err(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", plan.Status, got, want)
		}
	}
	running := wholePlan()
	running.Status = sdk.StatusRunning
	if err := running.Err(); err != nil {
		t.Errorf("of one that runs: %v", err)
	}
	if s := running.Step("review"); s == nil || s != &running.Steps[0] || running.Step("write") != nil {
		t.Errorf("the step review is %+v", s)
	}
}
