package sdk

import (
	"cmp"
	"math"
)

// Plus is m with the tokens and the cost of o added; what neither has stays away. A count below zero, and a cost that is less than
// zero or no number, adds nothing; a sum stops at the largest number there is. The duration stays m's: attempts have pauses between
// them. Neither m nor o is changed.
func (m Metrics) Plus(o Metrics) Metrics {
	m.TokensUsed = plusTokens(m.TokensUsed, o.TokensUsed)
	m.InputTokens = plusTokens(m.InputTokens, o.InputTokens)
	m.OutputTokens = plusTokens(m.OutputTokens, o.OutputTokens)
	m.CostUSD = plusCost(m.CostUSD, o.CostUSD)
	return m
}

// Spent reports whether m says anything of tokens or cost.
func (m Metrics) Spent() bool {
	return m.TokensUsed != nil || m.InputTokens != nil || m.OutputTokens != nil || m.CostUSD != nil
}

func plusTokens(a, b *int64) *int64 {
	if a == nil && b == nil {
		return nil
	}
	sum := int64(0)
	for _, n := range []*int64{a, b} {
		if n != nil {
			sum += min(max(*n, 0), math.MaxInt64-sum)
		}
	}
	return &sum
}

func plusCost(a, b *float64) *float64 {
	if a == nil && b == nil {
		return nil
	}
	sum := 0.0
	for _, cost := range []*float64{a, b} {
		if cost != nil && *cost > 0 { // not of what is no number
			sum = min(sum+*cost, math.MaxFloat64)
		}
	}
	return &sum
}

// Or is m, with the tokens and the cost of o where m says nothing of them.
func (m Metrics) Or(o Metrics) Metrics {
	m.TokensUsed = cmp.Or(m.TokensUsed, o.TokensUsed)
	m.InputTokens = cmp.Or(m.InputTokens, o.InputTokens)
	m.OutputTokens = cmp.Or(m.OutputTokens, o.OutputTokens)
	m.CostUSD = cmp.Or(m.CostUSD, o.CostUSD)
	return m
}
