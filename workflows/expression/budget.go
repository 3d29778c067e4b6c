package expression

import "github.com/rolecall-dev/rolecall/sdk"

// MaxCost is what expressions that share a budget may cost, in CEL's units: reading a name or a field is 1, a call 1 and 1 more for every
// ten bytes of text that it looks at, a list 10, a map 30.
const MaxCost = 200_000

// Budget is what the expressions of one step may cost and make together. It is not safe for concurrent use.
type Budget struct {
	units uint64
	bytes int
	limit int // that bytes began with
}

// NewBudget is the budget of one step: [MaxCost] units, and an input of at most [sdk.MaxInput] bytes.
func NewBudget() *Budget { return &Budget{units: MaxCost, bytes: sdk.MaxInput, limit: sdk.MaxInput} }

// NewOutputBudget is the budget of all outputs of a plan: [MaxCost] units, and at most [sdk.MaxOutput] bytes.
func NewOutputBudget() *Budget {
	return &Budget{units: MaxCost, bytes: sdk.MaxOutput, limit: sdk.MaxOutput}
}

func (b *Budget) tooLarge() error {
	return sdk.Errorf(sdk.CodePayloadTooLarge, "the expressions make more than %d bytes of JSON; hand over less, or where it is to be found", b.limit)
}

// spend takes units, and answers whether there were as many.
func (b *Budget) spend(units uint64) bool {
	if units > b.units {
		b.units = 0
		return false
	}
	b.units -= units
	return true
}
