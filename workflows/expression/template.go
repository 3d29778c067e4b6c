package expression

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"cel.dev/cel-go/common/types/ref"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Template is JSON whose strings may hold expressions. What is around them stays as it was written.
type Template struct {
	parts []part
	reads reads
}

// part is JSON as it was written, and after it a string that holds expressions, unless it is the last.
type part struct {
	raw   []byte
	text  *phrase
	depth int // how deep the string stands
}

// phrase is a string that holds expressions.
type phrase struct {
	path   string
	pieces []compiled
}

// compiled is a piece of a text: words, or an expression.
type compiled struct {
	words   string
	program *program
}

// Template compiles JSON that stands at the given path; an empty one is the template of null. The faults name each string that is wrong by
// its path; where there are any, the template is not to be used.
func (e *Env) Template(path string, raw json.RawMessage) (*Template, []sdk.Fault) {
	if len(raw) == 0 {
		raw = json.RawMessage("null")
	}
	if fault := jsonFault(raw); fault != "" {
		return &Template{}, []sdk.Fault{{Path: path, Message: fault}}
	}
	w := walker{env: e, raw: raw, made: &Template{}}
	w.value(path, 0)
	w.made.parts = append(w.made.parts, part{raw: raw[w.from:]})
	w.made.reads = w.made.reads.inOrder()
	return w.made, w.faults
}

// Reads are the ids of the steps that the template reads, sorted. The slice is not to be changed.
func (t *Template) Reads() []string { return t.reads.steps }

// Used is one string of a template that holds expressions, and what they read.
type Used struct {
	Path   string
	Steps  []string // ids, sorted
	Inputs []string // names, sorted, without those that are asked for with has()
}

// Uses answers each string that holds expressions, in their order.
func (t *Template) Uses() []Used {
	var used []Used
	for _, p := range t.parts {
		if p.text == nil {
			continue
		}
		var r reads
		for _, piece := range p.text.pieces {
			if piece.program != nil {
				r.add(piece.program.reads)
			}
		}
		r = r.inOrder()
		used = append(used, Used{Path: p.text.path, Steps: r.steps, Inputs: r.inputs})
	}
	return used
}

// Eval answers the JSON with the values of its expressions. The error is an [sdk.Error] of code expression_failed, or payload_too_large
// when the JSON is larger than the budget has room for.
func (t *Template) Eval(v Values, b *Budget) (json.RawMessage, error) {
	e := &encoder{limit: b.bytes}
	s := v.read()
	for _, p := range t.parts {
		e.out = append(e.out, p.raw...)
		if p.text == nil {
			continue
		}
		from := len(e.out)
		err := p.text.write(e, s, b, p.depth)
		if unpaid := b.pay(e.out[from:]); err == nil && !e.full() {
			err = unpaid
		}
		switch {
		case errors.Is(err, errLarge), err == nil && e.full():
			return nil, b.tooLarge()
		case err != nil:
			return nil, sdk.Errorf(sdk.CodeExpressionFailed, "%s has no value: %v", p.text.path, err)
		}
	}
	if e.full() {
		return nil, b.tooLarge()
	}
	b.bytes -= len(e.out)
	return slices.Clip(e.out), nil
}

// write writes the string, or the value of the one expression that it is.
func (t *phrase) write(e *encoder, s *scope, b *Budget, depth int) error {
	if len(t.pieces) == 1 && t.pieces[0].program != nil {
		value, err := t.pieces[0].program.eval(s, b)
		if err != nil {
			return err
		}
		return e.value(value, depth)
	}
	e.out = append(e.out, '"')
	for _, piece := range t.pieces {
		if e.full() {
			return errLarge
		}
		if piece.program == nil {
			e.words(piece.words)
			continue
		}
		value, err := piece.program.eval(s, b)
		if err != nil {
			return fmt.Errorf("${{ %s }}: %w", sdk.Cut(piece.program.source, maxQuoted), err)
		}
		words, err := inText(value, e.limit-len(e.out), b)
		if err != nil {
			return err
		}
		e.words(words)
	}
	e.out = append(e.out, '"')
	return nil
}

// maxQuoted is how many bytes of an expression a message quotes.
const maxQuoted = 80

// inText is a value within other words: a text as it is, anything else as JSON.
func inText(value ref.Val, limit int, b *Budget) (string, error) {
	if words, ok := wordsOf(value); ok {
		return words, nil
	}
	e := &encoder{limit: limit}
	err := e.value(value, 0)
	unpaid := b.pay(e.out)
	switch {
	case err != nil:
		return "", err
	case e.full():
		return "", errLarge
	}
	return string(e.out), unpaid
}
