package sdk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// FuzzValidate: nothing panics, Resolve is idempotent, and it makes no valid request invalid nor an invalid one valid.
func FuzzValidate(f *testing.F) {
	whole, err := json.Marshal(wholeRequest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, "a title")
	for _, seed := range []string{
		`{}`,
		`{"type":"code.write"}`,
		`{"type":"x","role":"y","retry":{"maxIntervalMs":100},"fallback":[{"retry":{"maxIntervalMs":200}}]}`,
		`{"type":"code.write","retry":{"initialIntervalMs":90000},"fallback":[{"retry":{"maxIntervalMs":80000}},{}]}`,
		`{"type":"code.write","priority":"urgent","metadata":{"":""},"capabilities":[""],"timeouts":{"queueMs":-1}}`,
		`{"type":"code.write","input":null,"detached":true,"retry":{"backoffCoefficient":1e-300}}`,
	} {
		f.Add([]byte(seed), "t\xff")
	}
	f.Fuzz(func(t *testing.T, data []byte, title string) {
		var r sdk.TaskRequest
		if json.Unmarshal(data, &r) != nil {
			return
		}
		r.Title = title
		before := r.Validate()
		resolved := r.Resolve()
		after := resolved.Validate()
		if (before == nil) != (after == nil) {
			t.Errorf("before Resolve: %v; after: %v", before, after)
		}
		if before != nil && !errors.Is(before, sdk.ErrInvalidInput) {
			t.Errorf("the error is %v", before)
		}
		if diff := cmp.Diff(resolved, resolved.Resolve()); diff != "" {
			t.Errorf("resolving twice: %s", diff)
		}
		if before != nil {
			return
		}
		if _, err := json.Marshal(resolved); err != nil {
			t.Errorf("a valid request can not be written: %v", err)
		}
	})
}

// FuzzCheckJSON compares with encoding/json: what it parses, in UTF-8 and not too deep, is good, and nothing else is.
func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{``, `1`, `"\""`, `{"a":[1,{"b":"]"}]}`, `[`, `]`, `"\u00e4"`, "\"\xff\"", `[1] [2]`, string(nested(64)), string(nested(65))} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		want := utf8.Valid(raw) && json.Valid(raw) && decodedDepth(raw) <= 64
		err := sdk.CheckJSON(raw, 1<<20)
		if (err == nil) != want {
			t.Errorf("CheckJSON(%q) = %v, want good: %v", raw, err, want)
		}
	})
}

// decodedDepth is how deep the decoder sees arrays and objects nest.
func decodedDepth(raw []byte) int {
	dec := json.NewDecoder(bytes.NewReader(raw))
	depth, deepest := 0, 0
	for {
		token, err := dec.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
			deepest = max(deepest, depth)
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
}
