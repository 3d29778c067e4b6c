package expression

import (
	"fmt"

	"github.com/rolecall-dev/rolecall/sdk"
)

// MaxCost is what expressions that share a budget may cost, in CEL's units: reading a name or a field is 1, a call 1 and 1 more for every
// ten bytes of text that it looks at, a list 10, a map 30. JSON that is read or written costs what jsonCost says.
const MaxCost = 200_000

// MaxPlanCost is what the expressions of all steps of a plan may cost together, each time that they are evaluated: all of that can fall
// into one workflow task.
const MaxPlanCost = 2_000_000

// Purse is what the expressions of all steps of a plan may cost together. It is not safe for concurrent use.
type Purse struct {
	units uint64
	short bool // there was less than was asked for
}

// NewPurse is that of a plan: [MaxPlanCost] units.
func NewPurse() *Purse { return &Purse{units: MaxPlanCost} }

// Budget is what the expressions of one step may cost and make together. It is not safe for concurrent use.
type Budget struct {
	units uint64
	short bool   // there was less than was asked for: nothing is evaluated any more
	purse *Purse // nil: it is one for itself
	bytes int
	limit int // that bytes began with
}

// NewBudget is the budget of one step: [MaxCost] units, as far as the purse has them, and an input of at most [sdk.MaxInput] bytes.
func NewBudget(p *Purse) *Budget {
	return &Budget{units: MaxCost, purse: p, bytes: sdk.MaxInput, limit: sdk.MaxInput}
}

// NewOutputBudget is the budget of all outputs of a plan: [MaxCost] units, and at most [sdk.MaxOutput] bytes.
func NewOutputBudget() *Budget {
	return &Budget{units: MaxCost, bytes: sdk.MaxOutput, limit: sdk.MaxOutput}
}

func (b *Budget) tooLarge() error {
	return sdk.Errorf(sdk.CodePayloadTooLarge, "the expressions make more than %d bytes of JSON; hand over less, or where it is to be found", b.limit)
}

// spend takes units, and answers whether there were as many. The purse is not charged for more than a budget can have.
func (b *Budget) spend(units uint64) bool {
	if units > b.units {
		b.short = true
	}
	b.units -= min(units, b.units)
	if b.purse != nil {
		b.purse.spend(min(units, MaxCost))
	}
	return !b.spent()
}

func (p *Purse) spend(units uint64) {
	if units > p.units {
		p.short = true
	}
	p.units -= min(units, p.units)
}

// spent tells whether more was asked for than there was.
func (b *Budget) spent() bool { return b.short || b.purse != nil && b.purse.short }

// costly says that the budget is spent.
func (b *Budget) costly() error {
	if b.short {
		return fmt.Errorf("the expressions cost more than %d units together: compute less, or leave it to the step's agent", MaxCost)
	}
	return fmt.Errorf("the expressions of all steps cost more than %d units together: compute less, or leave it to the steps' agents", MaxPlanCost)
}

// pay pays for JSON that was made.
func (b *Budget) pay(made []byte) error {
	if !b.spend(jsonCost(made, writtenBytes)) {
		return b.costly()
	}
	return nil
}

// What JSON costs to read or to write.
const (
	inputBytes   = 100 // of an input, for a unit: a [Reading] decodes it once for many
	outputBytes  = 50  // of an output: those of one step can read all that a plan holds
	writtenBytes = 100
	jsonValues   = 2 // for a unit, lists and objects counted twice
)

// jsonCost is what it costs to read JSON, or to write it, with so many bytes for a unit: it is known before that is done.
func jsonCost(raw []byte, bytes int) uint64 {
	values, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ':' || c == '[' || c == '{'):
			values++
		}
	}
	return uint64(len(raw)/bytes + values/jsonValues)
}
