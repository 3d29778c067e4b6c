package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"

	"github.com/caarlos0/env/v11"
)

func parseConfig() (Config, error) {
	c, err := env.ParseAs[Config]()
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		faults := make([]error, len(all.Errors))
		for i, one := range all.Errors {
			faults[i] = named(one)
		}
		err = errors.Join(faults...)
	}
	if err != nil {
		return c, fmt.Errorf("the environment is not valid:\n%w", err)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return c, fmt.Errorf("ROLECALL_LOG_FORMAT must be text or json, not %q", c.LogFormat)
	}
	c.Events.Dir = c.eventsDir()
	return c, errors.Join(c.API.Validate(), c.Events.Validate(), c.Agents.Validate(), c.Shows.Validate())
}

// named makes an error of a field one of its variable.
func named(err error) error {
	unread, ok := errors.AsType[env.ParseError](err)
	if !ok {
		return err
	}
	for _, field := range variableFields(reflect.TypeFor[Config]()) {
		if field.Name == unread.Name {
			return fmt.Errorf("%s: %w", variableName(field), unread.Err)
		}
	}
	return err
}

// variableFields are the fields of a config struct, and of the structs in it, that a variable sets.
func variableFields(config reflect.Type) []reflect.StructField {
	var fields []reflect.StructField
	for field := range config.Fields() {
		switch {
		case variableName(field) != "":
			fields = append(fields, field)
		case field.Type.Kind() == reflect.Struct && field.Tag.Get("env") == "":
			fields = append(fields, variableFields(field.Type)...)
		}
	}
	return fields
}

// variableName is the variable that sets a field; empty for none.
func variableName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
	return strings.Trim(name, "-")
}

// logger makes the log that the configuration describes.
func (c Config) logger(to io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, opts))
	}
	return slog.New(slog.NewTextHandler(to, opts))
}
