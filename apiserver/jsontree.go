package apiserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rolecall-dev/rolecall/sdk"
)

// jsonPath is where something stands in a body, such as $.fallback[0].role. It is a stack while the body is walked.
type jsonPath []string

func (p jsonPath) key(name string) jsonPath { return append(p, sdk.FieldPath(name)) }

func (p jsonPath) index(i int) jsonPath { return append(p, "["+strconv.Itoa(i)+"]") }

func (p jsonPath) String() string { return "$" + strings.Join(p, "") }

var errTooDeep = errors.New("too deep")

// parseJSON reads a body into maps, slices and literals, numbers as they are written. What cannot be parsed is invalid_json, what
// nests too deep invalid_input; names given twice are faults, since every reader would take another one of them.
func parseJSON(raw []byte) (tree any, faults faultList, err *sdk.Error) {
	switch {
	case len(bytes.TrimSpace(raw)) == 0:
		return nil, faults, sdk.Errorf(sdk.CodeInvalidJSON, "the body is empty; send a JSON object")
	case !utf8.Valid(raw):
		return nil, faults, sdk.Errorf(sdk.CodeInvalidJSON, "the body is not valid UTF-8")
	}
	p := parser{decoder: json.NewDecoder(bytes.NewReader(raw))}
	p.decoder.UseNumber()
	tree, walkErr := p.value()
	if errors.Is(walkErr, errTooDeep) {
		return nil, faults, invalid([]sdk.Fault{{Path: "$", Message: fmt.Sprintf("has a field that nests deeper than %d", sdk.MaxJSONDepth)}})
	}
	if walkErr != nil || !json.Valid(raw) {
		return nil, faults, sdk.Errorf(sdk.CodeInvalidJSON, "the body can not be parsed as JSON; the fault is near byte %d", p.decoder.InputOffset())
	}
	return tree, p.faults, nil
}

type parser struct {
	decoder *json.Decoder
	path    jsonPath
	faults  faultList
}

func (p *parser) value() (any, error) {
	token, err := p.decoder.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if len(p.path) > sdk.MaxJSONDepth { // a field may nest so deep, and the body is one more
		return nil, errTooDeep
	}
	if delim == '{' {
		return p.object()
	}
	return p.array()
}

func (p *parser) object() (any, error) {
	here, out := p.path, map[string]any{}
	defer func() { p.path = here }()
	for p.decoder.More() {
		token, err := p.decoder.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, io.ErrUnexpectedEOF
		}
		p.path = here.key(name)
		if _, twice := out[name]; twice {
			p.faults.at(p.path, "is given twice")
		}
		if out[name], err = p.value(); err != nil {
			return nil, err
		}
	}
	_, err := p.decoder.Token()
	return out, err
}

func (p *parser) array() (any, error) {
	here, out := p.path, []any{}
	defer func() { p.path = here }()
	for p.decoder.More() {
		p.path = here.index(len(out))
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := p.decoder.Token()
	return out, err
}

// canonicalRaw writes a JSON text in the one way of canonicalJSON.
func canonicalRaw(raw []byte) ([]byte, error) {
	var tree any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	return canonicalJSON(tree)
}

// canonicalJSON writes a value in the one way: the names of maps sorted, no space, parsed numbers as they came.
func canonicalJSON(tree any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
