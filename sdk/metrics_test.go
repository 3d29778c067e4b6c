package sdk_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestMetricsPlus(t *testing.T) {
	t.Parallel()
	count := func(n int64) *int64 { return &n }
	cost := func(c float64) *float64 { return &c }
	for name, test := range map[string]struct{ a, b, want sdk.Metrics }{
		"nothing and nothing": {},
		"the duration stays":  {sdk.Metrics{DurationMs: 5}, sdk.Metrics{DurationMs: 7}, sdk.Metrics{DurationMs: 5}},
		"sums": {
			sdk.Metrics{TokensUsed: count(30), InputTokens: count(10), OutputTokens: count(20), CostUSD: cost(0.25)},
			sdk.Metrics{TokensUsed: count(3), InputTokens: count(1), OutputTokens: count(2), CostUSD: cost(0.5)},
			sdk.Metrics{TokensUsed: count(33), InputTokens: count(11), OutputTokens: count(22), CostUSD: cost(0.75)},
		},
		"what one of them has": {
			sdk.Metrics{TokensUsed: count(30)}, sdk.Metrics{CostUSD: cost(0.5)}, sdk.Metrics{TokensUsed: count(30), CostUSD: cost(0.5)},
		},
		"zero is something":   {sdk.Metrics{}, sdk.Metrics{TokensUsed: count(0)}, sdk.Metrics{TokensUsed: count(0)}},
		"less than zero":      {sdk.Metrics{TokensUsed: count(5), CostUSD: cost(-1)}, sdk.Metrics{TokensUsed: count(-9)}, sdk.Metrics{TokensUsed: count(5), CostUSD: cost(0)}},
		"no number":           {sdk.Metrics{CostUSD: cost(1)}, sdk.Metrics{CostUSD: cost(math.NaN())}, sdk.Metrics{CostUSD: cost(1)}},
		"beyond the largest":  {sdk.Metrics{TokensUsed: count(math.MaxInt64)}, sdk.Metrics{TokensUsed: count(9)}, sdk.Metrics{TokensUsed: count(math.MaxInt64)}},
		"an endless cost":     {sdk.Metrics{CostUSD: cost(math.Inf(1))}, sdk.Metrics{}, sdk.Metrics{CostUSD: cost(math.MaxFloat64)}},
		"a cost out of range": {sdk.Metrics{CostUSD: cost(math.MaxFloat64)}, sdk.Metrics{CostUSD: cost(math.MaxFloat64)}, sdk.Metrics{CostUSD: cost(math.MaxFloat64)}},
	} {
		if diff := cmp.Diff(test.want, test.a.Plus(test.b)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := test.want.Spent(); got != (name != "nothing and nothing" && name != "the duration stays") {
			t.Errorf("%s: spent %t", name, got)
		}
	}
	a := sdk.Metrics{TokensUsed: count(1)}
	_ = a.Plus(a)
	if *a.TokensUsed != 1 {
		t.Error("a sum changes what is added")
	}
}
