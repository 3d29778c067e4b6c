package main

import (
	"encoding/json"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// into adds the inputs to a plan, in place of those of the same names.
func (in planInputs) into(r *sdk.PlanRequest) error {
	given := map[string]bool{}
	set := func(flag, pair string, read func(name, value string) (json.RawMessage, error)) error {
		name, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok || name == "":
			return usagef("%s %q is not name=value", flag, pair)
		case value == "-":
			return usagef("%s %s: standard input is not read here; give %s=@file", flag, name, name)
		case given[name]:
			return usagef("%s: the input %s is given twice", flag, name)
		}
		given[name] = true
		raw, err := read(name, value)
		if err != nil {
			return err
		}
		if r.Inputs == nil {
			r.Inputs = map[string]json.RawMessage{}
		}
		r.Inputs[name] = raw
		return nil
	}
	for _, pair := range in.texts {
		if err := set("--input", pair, func(name, value string) (json.RawMessage, error) {
			text, err := readText("--input "+name, value, nil, sdk.MaxPlanInputs)
			if err != nil {
				return nil, err
			}
			return json.Marshal(text)
		}); err != nil {
			return err
		}
	}
	for _, pair := range in.values {
		if err := set("--input-json", pair, func(name, value string) (json.RawMessage, error) {
			return readJSON("--input-json "+name, value, nil, sdk.MaxPlanInputs)
		}); err != nil {
			return err
		}
	}
	return nil
}
