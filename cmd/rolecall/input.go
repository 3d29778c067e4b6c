package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// readJSON reads the value of a flag: JSON as it stands, @file, or - for standard input, at most limit bytes.
func readJSON(flag, value string, stdin io.Reader, limit int) (_ json.RawMessage, err error) {
	raw := []byte(value)
	switch {
	case value == "-":
		raw, err = io.ReadAll(io.LimitReader(stdin, int64(limit)+1))
		if err != nil {
			return nil, fmt.Errorf("%s: standard input: %w", flag, err)
		}
	case strings.HasPrefix(value, "@"):
		raw, err = readFile(value[1:], limit)
		if err != nil {
			return nil, usagef("%s: %w", flag, err)
		}
	}
	if e, ok := errors.AsType[*sdk.Error](sdk.CheckJSON(raw, limit)); ok {
		return nil, usagef("%s: %s; give JSON (a text with its quotes), @file, or - for standard input", flag, e.Message)
	}
	return raw, nil
}

// readText reads the value of a flag: a text as it stands, @file, or - for standard input, at most limit bytes.
func readText(flag, value string, stdin io.Reader, limit int) (string, error) {
	raw, err := []byte(value), error(nil)
	switch {
	case value == "-":
		raw, err = io.ReadAll(io.LimitReader(stdin, int64(limit)+1))
	case strings.HasPrefix(value, "@"):
		raw, err = readFile(value[1:], limit)
	}
	if err != nil {
		return "", usagef("%s: %w", flag, err)
	}
	return string(raw), nil
}

// readFile reads a file, and not much more than limit of one that is too large.
func readFile(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	_ = f.Close() // nothing was written
	return raw, err
}
