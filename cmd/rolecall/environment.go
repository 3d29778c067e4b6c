package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/rolecall-dev/rolecall/sdk"
)

// readEnvironment reads the variables of config structs, given by pointer. Values that cannot be read are one [sdk.Error] of code
// invalid_input whose Faults name each variable and what it takes; the value of a secret is not repeated.
func readEnvironment(configs ...any) error {
	present := env.ToMap(os.Environ())
	var faults []sdk.Fault
	for _, c := range configs {
		err := env.Parse(c)
		all, ok := errors.AsType[env.AggregateError](err)
		if err != nil && !ok {
			return fmt.Errorf("the environment: %w", err)
		}
		for _, one := range all.Errors {
			if f := faultOf(reflect.TypeOf(c).Elem(), one, present); !slices.Contains(faults, f) {
				faults = append(faults, f)
			}
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return &sdk.Error{Code: sdk.CodeInvalidInput, Message: "the environment is not valid", Faults: faults}
}

// faultOf says which variable of a config struct an error of its parsing is about, and what that takes.
func faultOf(config reflect.Type, err error, present map[string]string) sdk.Fault {
	unread, _ := errors.AsType[env.ParseError](err)
	field, _ := config.FieldByName(unread.Name)
	v, ok := variableOf(field)
	if !ok {
		return sdk.Fault{Path: "environment", Message: err.Error()}
	}
	message := "must be " + takes(field.Type)
	if !v.Secret {
		message += fmt.Sprintf(", not %q", redacted(v, present[v.Name]))
	}
	return sdk.Fault{Path: v.Name, Message: message}
}

// takes says what a variable of a type holds.
func takes(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[slog.Level]():
		return "debug, info, warn or error"
	case reflect.TypeFor[time.Duration]():
		return "a time such as 90s, 10m or 1h"
	case reflect.TypeFor[bool]():
		return "true or false"
	case reflect.TypeFor[int](), reflect.TypeFor[int64]():
		return "a whole number"
	case reflect.TypeFor[map[string]string]():
		return "a list such as name=value,name=value"
	default:
		return "readable as " + t.String()
	}
}
