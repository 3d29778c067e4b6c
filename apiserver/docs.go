package apiserver

import (
	"bytes"
	_ "embed" // the page's template
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsTemplate string

// docsPage renders the OpenAPI document as one page that needs nothing else: no script, no network.
func docsPage(api *huma.OpenAPI) ([]byte, error) {
	page, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return nil, fmt.Errorf("read the docs page: %w", err)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, docsOf(api)); err != nil {
		return nil, fmt.Errorf("render the docs page: %w", err)
	}
	return out.Bytes(), nil
}

type docs struct {
	Title, Description string
	Operations         []docsOperation
	Schemas            []docsSchema
}

type docsOperation struct {
	ID, Method, Path, Summary, Body string
	Params                          []docsField
	Answers                         []docsField
}

type docsSchema struct {
	Name, About string
	Fields      []docsField
}

// docsField is a parameter, an answer or a field; Link names the schema it holds.
type docsField struct {
	Name, Kind, Link, About string
	Required                bool
}

func docsOf(api *huma.OpenAPI) docs {
	d := docs{Title: api.Info.Title, Description: api.Info.Description}
	for path, item := range api.Paths {
		for _, op := range operationsOf(item) {
			d.Operations = append(d.Operations, docsOperationOf(path, op))
		}
	}
	slices.SortFunc(d.Operations, func(a, b docsOperation) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
	for name, s := range api.Components.Schemas.Map() {
		d.Schemas = append(d.Schemas, docsSchemaOf(name, s))
	}
	slices.SortFunc(d.Schemas, func(a, b docsSchema) int { return strings.Compare(a.Name, b.Name) })
	return d
}

func docsOperationOf(path string, op *huma.Operation) docsOperation {
	o := docsOperation{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary}
	if op.RequestBody != nil {
		_, o.Body = kindOf(op.RequestBody.Content["application/json"].Schema)
	}
	for _, p := range op.Parameters {
		kind, link := kindOf(p.Schema)
		o.Params = append(o.Params, docsField{Name: p.Name, Kind: p.In + ", " + kind, Link: link, About: p.Description, Required: p.Required})
	}
	for status, r := range op.Responses {
		f := docsField{Name: status, About: r.Description}
		for _, media := range r.Content {
			f.Kind, f.Link = kindOf(media.Schema)
		}
		o.Answers = append(o.Answers, f)
	}
	slices.SortFunc(o.Answers, func(a, b docsField) int { return strings.Compare(a.Name, b.Name) })
	return o
}

func docsSchemaOf(name string, s *huma.Schema) docsSchema {
	out := docsSchema{Name: name, About: s.Description}
	for field, p := range s.Properties {
		kind, link := kindOf(p)
		about := p.Description
		if len(p.Enum) > 0 {
			about = strings.TrimSpace(about + fmt.Sprintf(" One of %v.", p.Enum))
		}
		if p.Default != nil {
			about = strings.TrimSpace(about + fmt.Sprintf(" Default %v.", p.Default))
		}
		out.Fields = append(out.Fields, docsField{Name: field, Kind: kind, Link: link, About: about, Required: slices.Contains(s.Required, field)})
	}
	slices.SortFunc(out.Fields, func(a, b docsField) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// kindOf says in a word or two what a schema holds, and which named schema that is.
func kindOf(s *huma.Schema) (kind, link string) {
	switch {
	case s == nil:
		return "", ""
	case s.Ref != "":
		name := strings.TrimPrefix(s.Ref, schemaPrefix)
		return name, name
	case len(s.OneOf) > 0:
		return kindOf(s.OneOf[0])
	case s.Type == huma.TypeArray:
		kind, link = kindOf(s.Items)
		return "list of " + kind, link
	case s.Type == "":
		return "any JSON", ""
	case s.Format != "":
		return s.Type + " (" + s.Format + ")", ""
	default:
		return s.Type, ""
	}
}
