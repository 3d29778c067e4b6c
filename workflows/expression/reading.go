package expression

import (
	"encoding/json"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Reading is what expressions have read of the inputs of a plan, for others that read the same [Values.Inputs]: each input is decoded once.
// Who reads one pays for it all the same. Decoded, it can take many times the memory of its JSON. It is not safe for concurrent use.
type Reading struct {
	inputs map[string]*jsonRead
}

// NewReading is that of inputs of which nothing has been read.
func NewReading() *Reading { return &Reading{inputs: map[string]*jsonRead{}} }

func (r *Reading) of(name string, raw json.RawMessage) *jsonRead {
	if r.inputs[name] == nil {
		r.inputs[name] = &jsonRead{raw: raw, what: "the input " + sdk.Cut(name, sdk.MaxMetadataKey), cost: jsonCost(raw, inputBytes)}
	}
	return r.inputs[name]
}

// jsonRead is JSON that expressions read.
type jsonRead struct {
	raw   json.RawMessage
	what  string
	cost  uint64
	value ref.Val // nil: it was not decoded yet, or can not be
	wrong error   // why it can not be
}

// decoded answers the value, or an error value that is not found.
func (j *jsonRead) decoded() (ref.Val, bool) {
	if j.value == nil && j.wrong == nil {
		j.value, j.wrong = decode(j.raw)
	}
	if j.wrong != nil {
		return types.NewErr("%s can not be read: %v", j.what, j.wrong), false
	}
	return j.value, true
}
