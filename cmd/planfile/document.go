package planfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/rolecall-dev/rolecall/sdk"
)

// document is a file on its way to a plan.
type document struct {
	name   string
	places map[string]place
	faults []sdk.Fault
}

// maxFaults is how many faults are told at once.
const maxFaults = 100

func (d *document) fault(path, format string, args ...any) {
	switch {
	case len(d.faults) < maxFaults:
		d.faults = append(d.faults, sdk.Fault{Path: path, Message: fmt.Sprintf(format, args...)})
	case len(d.faults) == maxFaults:
		d.faults = append(d.faults, sdk.Fault{Path: "$", Message: "has more faults"})
	}
}

// read answers the value of the file: nil, bool, string, json.Number, []any or map[string]any.
func (d *document) read(raw []byte) (any, error) {
	if json.Valid(raw) {
		if e, ok := errors.AsType[*sdk.Error](sdk.CheckJSON(raw, sdk.MaxBody)); ok {
			return nil, sdk.Errorf(e.Code, "%s: %s", d.name, e.Message)
		}
		return d.json(raw)
	}
	if open := nesting(raw); open > sdk.MaxBody/64 {
		return nil, sdk.Errorf(sdk.CodeInvalidInput, "%s holds no plan: it opens %d brackets", d.name, open)
	}
	return d.yaml(raw)
}

// nesting is how many brackets are open at most, whatever they mean.
func nesting(raw []byte) int {
	open, most := 0, 0
	for _, c := range raw {
		switch c {
		case '[', '{':
			open++
			most = max(most, open)
		case ']', '}':
			open--
		}
	}
	return most
}

// yaml reads a file of YAML, and notes where everything stands.
func (d *document) yaml(raw []byte) (any, error) {
	file, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return nil, d.unreadable(err)
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.NullType:
		case body != nil:
			return nil, sdk.Errorf(sdk.CodeInvalidInput, "%s holds more than one document", d.name)
		default:
			body = doc.Body
		}
	}
	if body == nil {
		return nil, sdk.Errorf(sdk.CodeInvalidInput, "%s is empty", d.name)
	}
	return d.value("$", body, 1), nil
}

// unreadable is the error of a file that is no YAML.
func (d *document) unreadable(err error) error {
	at := d.name
	message := err.Error()
	if e, ok := errors.AsType[yaml.Error](err); ok {
		message = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			at = fmt.Sprintf("%s:%d:%d", d.name, t.Position.Line, t.Position.Column)
		}
	}
	return sdk.Errorf(sdk.CodeInvalidInput, "%s: %s", at, message)
}

// value is what a node stands for. Aliases and tags are refused: a file says what it says once, and in the open.
func (d *document) value(path string, node ast.Node, depth int) any {
	if depth > sdk.MaxJSONDepth {
		d.fault(path, "nests deeper than %d", sdk.MaxJSONDepth)
		return nil
	}
	switch n := node.(type) {
	case *ast.NullNode:
		return nil
	case *ast.BoolNode:
		return n.Value
	case *ast.IntegerNode:
		return d.number(path, n.Token.Value)
	case *ast.FloatNode:
		return d.number(path, n.Token.Value)
	case *ast.StringNode:
		if n.Token.Type == token.StringType && numeric.MatchString(n.Value) {
			return d.number(path, n.Value)
		}
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.MappingNode:
		return d.object(path, n.Values, depth)
	case *ast.MappingValueNode:
		return d.object(path, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		list := make([]any, len(n.Values))
		for i, item := range n.Values {
			at := fmt.Sprintf("%s[%d]", path, i)
			d.stands(at, first(item))
			list[i] = d.value(at, item, depth+1)
		}
		return list
	case *ast.AnchorNode, *ast.AliasNode:
		d.fault(path, "is an anchor or an alias, which a plan does not have: write the value out, or quote a text that begins with & or *")
	case *ast.TagNode:
		d.fault(path, "has a tag, which a plan does not have: quote a text that begins with !")
	case *ast.InfinityNode, *ast.NanNode:
		d.fault(path, "is a number that JSON does not have")
	default:
		d.fault(path, "is nothing that a plan can hold")
	}
	return nil
}

// numeric is a text without quotes that some readers of YAML take for a number.
var numeric = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)

// number is a number as it is written, which has to be as in JSON: what else YAML takes for one, and which, differs from reader to reader.
func (d *document) number(path, written string) any {
	if !json.Valid([]byte(written)) {
		d.fault(path, "is %s, which is no number in JSON: write it as one, or quote it", written)
		return nil
	}
	return json.Number(written)
}

func (d *document) object(path string, entries []*ast.MappingValueNode, depth int) map[string]any {
	object := make(map[string]any, len(entries))
	for _, entry := range entries {
		name := entry.Key.GetToken().Value
		at := within(path, name)
		d.stands(at, entry.Key)
		switch entry.Key.(type) {
		case *ast.MergeKeyNode, *ast.MappingKeyNode:
			d.fault(at, "is no name of a field")
			continue
		}
		if _, twice := object[name]; twice {
			d.fault(at, "is there twice")
		}
		object[name] = d.value(at, entry.Value, depth+1)
	}
	return object
}

// stands notes where a path stands in the file.
func (d *document) stands(path string, node ast.Node) {
	if t := node.GetToken(); t != nil && t.Position != nil {
		d.places[plain(path)] = place{t.Position.Line, t.Position.Column}
	}
}

// first is the node with which a node begins.
func first(node ast.Node) ast.Node {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key
		}
	case *ast.MappingValueNode:
		return n.Key
	}
	return node
}
