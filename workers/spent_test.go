package workers

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

func tokens(n int64) sdk.Metrics { return sdk.Metrics{TokensUsed: &n} }

// TestWhatAnAttemptSpentIsReported: in every heartbeat, and with its end however that comes.
func TestWhatAnAttemptSpentIsReported(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		result *sdk.Result
		err    error
		spent  int64 // in the details of a failure, or in the result's metrics
	}{
		"a failure":                       {nil, errors.New("broken"), 30},
		"a result that says nothing":      {&sdk.Result{Output: json.RawMessage(`1`)}, nil, 30},
		"a result that knows better":      {&sdk.Result{Output: json.RawMessage(`1`), Metrics: tokens(33)}, nil, 33},
		"a result that cannot be taken":   {&sdk.Result{Output: json.RawMessage(`{`), Metrics: tokens(33)}, nil, 33},
		"a question":                      {nil, sdk.AskInput("which?", nil), 30},
		"an output that is too large":     {&sdk.Result{Output: json.RawMessage(`"` + strings.Repeat("x", sdk.MaxOutput) + `"`)}, nil, 30},
		"a question that cannot be asked": {nil, sdk.AskInput("", nil), 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeTemporal{}
				w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
					r.(sdk.Meter).Spent(tokens(10))
					r.(sdk.Meter).Spent(tokens(30))
					pass(2 * time.Second)
					return test.result, test.err
				})
				_, done := begin(w, sdk.Assignment{})
				<-done
				if last := f.beats[len(f.beats)-1].value; last.Spent == nil || *last.Spent.TokensUsed != 30 {
					t.Errorf("the last heartbeat says %+v", last.Spent)
				}
				answer := f.answers[0].value
				var got *sdk.Metrics
				if answer.Err != nil {
					got = reportOf(t, answer.Err).Spent
				} else if report, ok := answer.Result.(activities.AttemptReport); ok && report.Result != nil {
					got = &report.Result.Metrics
					if report.Spent != nil {
						t.Errorf("it is reported twice: %+v", report.Spent)
					}
				} else if ok {
					got = report.Spent
				}
				if got == nil || got.TokensUsed == nil || *got.TokensUsed != test.spent {
					t.Errorf("the answer says %+v, want %d tokens", got, test.spent)
				}
			})
		})
	}
}

// TestAnAnswerThatIsRefusedIsPaidFor: what is answered in its place has what the attempt spent, whatever it was.
func TestAnAnswerThatIsRefusedIsPaidFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		result *sdk.Result
		err    error
	}{
		"a result":   {result: &sdk.Result{Output: json.RawMessage(`1`), Metrics: tokens(30)}},
		"a failure":  {err: errors.New("broken")},
		"a question": {err: sdk.AskInput("which?", nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeTemporal{refuse: errors.New("too large")}
				w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
					r.(sdk.Meter).Spent(tokens(30))
					return test.result, test.err
				})
				_, done := begin(w, sdk.Assignment{})
				<-done
				if n, last := f.answered(); n != 2 || last == nil {
					t.Errorf("%d answers, the last %v; want one more that is an error", n, last)
				} else if got := reportOf(t, last).Spent; got == nil || *got.TokensUsed != 30 {
					t.Errorf("it says %+v", got)
				}
			})
		})
	}
}

// TestAPausedAttemptKeepsWhatItSpent: an execution of the same attempt adds to what an earlier one had spent.
func TestAPausedAttemptKeepsWhatItSpent(t *testing.T) {
	t.Parallel()
	earlier := tokens(100)
	r := newReporter("agent-1", &sdk.Assignment{Attempt: 1})
	if r.report().Spent != nil {
		t.Errorf("it begins with %+v", r.report().Spent)
	}
	r.goOn(activities.AttemptReport{Spent: &earlier})
	r.Spent(tokens(7))
	want := tokens(107)
	if diff := cmp.Diff(&want, r.report().Spent); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
	if got := r.total(tokens(8)); *got.TokensUsed != 108 {
		t.Errorf("with the result's own: %d", *got.TokensUsed)
	}
	if got := r.total(sdk.Metrics{DurationMs: 5}); *got.TokensUsed != 107 || got.DurationMs != 5 {
		t.Errorf("with a result that says nothing: %+v", got)
	}
	r.close()
	r.Spent(tokens(9))
	if got := r.report().Spent; *got.TokensUsed != 107 {
		t.Errorf("after its end it takes %d", *got.TokensUsed)
	}
}

// TestResultMetricsAreFilledIn: each number of a result goes before what was reported, and takes nothing else of that away.
func TestResultMetricsAreFilledIn(t *testing.T) {
	t.Parallel()
	reported := sdk.Metrics{TokensUsed: new(int64(30)), InputTokens: new(int64(20)), OutputTokens: new(int64(10)), CostUSD: new(0.5)}
	for name, tc := range map[string]struct{ result, want sdk.Metrics }{
		"nothing":     {sdk.Metrics{}, reported},
		"a cost":      {sdk.Metrics{CostUSD: new(0.75)}, sdk.Metrics{TokensUsed: new(int64(30)), InputTokens: new(int64(20)), OutputTokens: new(int64(10)), CostUSD: new(0.75)}},
		"the tokens":  {sdk.Metrics{TokensUsed: new(int64(0)), InputTokens: new(int64(0))}, sdk.Metrics{TokensUsed: new(int64(0)), InputTokens: new(int64(0)), OutputTokens: new(int64(10)), CostUSD: new(0.5)}},
		"no number":   {sdk.Metrics{CostUSD: new(math.NaN())}, sdk.Metrics{TokensUsed: new(int64(30)), InputTokens: new(int64(20)), OutputTokens: new(int64(10)), CostUSD: new(0.0)}},
		"beyond them": {sdk.Metrics{CostUSD: new(math.Inf(1))}, sdk.Metrics{TokensUsed: new(int64(30)), InputTokens: new(int64(20)), OutputTokens: new(int64(10)), CostUSD: new(math.MaxFloat64)}},
	} {
		r := newReporter("agent-1", &sdk.Assignment{Attempt: 1})
		r.Spent(reported)
		if diff := cmp.Diff(tc.want, r.total(tc.result)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestACostThatIsNoNumberFailsNothing: what an agent did is not lost for it.
func TestACostThatIsNoNumberFailsNothing(t *testing.T) {
	t.Parallel()
	for _, cost := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeTemporal{}
			w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
				return &sdk.Result{Output: json.RawMessage(`1`), Metrics: sdk.Metrics{CostUSD: &cost}}, nil
			})
			_, done := begin(w, sdk.Assignment{})
			<-done
			report, ok := f.answers[0].value.Result.(activities.AttemptReport)
			if !ok || report.Result == nil || f.answers[0].value.Err != nil {
				t.Errorf("a cost of %g: %+v", cost, f.answers[0].value)
			} else if _, err := json.Marshal(report); err != nil {
				t.Errorf("a cost of %g: %v", cost, err)
			}
		})
	}
}
