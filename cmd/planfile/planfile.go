// Package planfile reads plans as people write them: YAML or JSON, strictly, every fault with its line and column.
package planfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// File is a plan as it was read, and where in the file its parts stand.
type File struct {
	Request sdk.PlanRequest

	name   string
	places map[string]place // by path; empty where they are not known
}

// place is where something stands, both from 1.
type place struct{ line, column int }

// Read reads one plan of at most [sdk.MaxBody] bytes. name is how faults call the file. Its fields and their types are checked; what they
// hold is not: that is for the plan's own checks, whose faults [File.Explain] finds in the file. Anything wrong is an [sdk.Error] of code
// invalid_input, or payload_too_large.
func Read(name string, from io.Reader) (*File, error) {
	raw, err := io.ReadAll(io.LimitReader(from, sdk.MaxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(raw) > sdk.MaxBody:
		return nil, sdk.Errorf(sdk.CodePayloadTooLarge, "%s is larger than the %d bytes that a plan may have", name, sdk.MaxBody)
	}
	d := &document{name: name, places: map[string]place{}}
	tree, err := d.read(bytes.TrimPrefix(raw, []byte("\ufeff")))
	if err != nil {
		return nil, err
	}
	if len(d.faults) == 0 {
		d.plan(tree)
	}
	f := &File{name: name, places: d.places}
	if len(d.faults) > 0 {
		return nil, f.Explain(&sdk.Error{Code: sdk.CodeInvalidInput, Message: name + " holds no plan", Faults: d.faults})
	}
	var whole bytes.Buffer
	enc := json.NewEncoder(&whole)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalidInput, "%s holds no plan: %v", name, err)
	}
	if err := json.Unmarshal(whole.Bytes(), &f.Request); err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalidInput, "%s holds no plan: %v", name, err)
	}
	return f, nil
}

// Explain adds to the faults of an error about this plan where in the file they stand. Any other error stays as it is.
func (f *File) Explain(err error) error {
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok || len(e.Faults) == 0 {
		return err
	}
	told := *e
	told.Faults = make([]sdk.Fault, len(e.Faults))
	for i, fault := range e.Faults {
		if at, ok := f.find(fault.Path); ok {
			fault.Message += fmt.Sprintf(" (%s:%d:%d)", f.name, at.line, at.column)
		}
		told.Faults[i] = fault
	}
	return &told
}

// find answers where a path stands, or what holds it where it is missing itself.
func (f *File) find(path string) (place, bool) {
	path = plain(path)
	for path != "" && path != "$" {
		if at, ok := f.places[path]; ok {
			return at, true
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return place{}, false
}

// quotedName is a name in a path as it has to be written where it is no identifier.
var quotedName = regexp.MustCompile(`\["([^".\[\]\\]+)"\]`)

// plain is a path in the one spelling by which places are found.
func plain(path string) string { return quotedName.ReplaceAllString(path, ".$1") }

// identifier is a name that stands in a path as it is.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// within is the path of a field.
func within(path, name string) string {
	if identifier.MatchString(name) {
		return path + "." + name
	}
	return fmt.Sprintf("%s[%q]", path, name)
}
