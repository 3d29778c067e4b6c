package sdk_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestProgressTrimCutsTexts(t *testing.T) {
	t.Parallel()
	long := text(10_000)
	got := sdk.Progress{Phase: long, Message: long, Delta: long, Category: long, Tool: long}.Trim()
	want := sdk.Progress{Phase: text(128), Message: text(1024), Delta: text(4096), Category: text(128), Tool: text(128)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, want.Trim()); diff != "" {
		t.Errorf("what fits was changed: %s", diff)
	}
}

// TestTrimKeepsCharactersWhole cuts through characters of two, three and four bytes at every offset.
func TestTrimKeepsCharactersWhole(t *testing.T) {
	t.Parallel()
	for _, char := range []string{"ä", "€", "🦉"} {
		for shift := range 4 {
			in := text(shift) + strings.Repeat(char, 100)
			got := sdk.Progress{Phase: in}.Trim().Phase
			if !utf8.ValidString(got) || !strings.HasPrefix(in, got) || len(got) > 128 || len(got) <= 128-len(char) {
				t.Errorf("%d bytes and %q: cut to %d bytes %q", shift, char, len(got), got)
			}
		}
	}
	if got := (sdk.Progress{Phase: "a\xffb"}).Trim().Phase; got != "a\uFFFDb" {
		t.Errorf("what is not UTF-8 became %q", got)
	}
}

func TestProgressTrimHoldsPercentages(t *testing.T) {
	t.Parallel()
	for in, want := range map[float64]float64{0: 0, 100: 100, 12.5: 12.5, -1: 0, 100.1: 100, math.Inf(1): 100, math.Inf(-1): 0} {
		if got := (sdk.Progress{Percentage: in, Overall: in}).Trim(); got.Percentage != want || got.Overall != want {
			t.Errorf("%v became %v and %v, want %v", in, got.Percentage, got.Overall, want)
		}
	}
	if got := (sdk.Progress{Percentage: math.NaN()}).Trim().Percentage; got != 0 {
		t.Errorf("not a number became %v", got)
	}
}

func TestTaskErrorTrim(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want sdk.TaskError }{
		"fits":             {sdk.TaskError{Code: "out_of_ink", Message: "m", Details: json.RawMessage(`{"a":1}`)}, sdk.TaskError{Code: "out_of_ink", Message: "m", Details: json.RawMessage(`{"a":1}`)}},
		"no code":          {sdk.TaskError{}, sdk.TaskError{Code: "agent_failed"}},
		"code not a word":  {sdk.TaskError{Code: "Out of ink!"}, sdk.TaskError{Code: "agent_failed"}},
		"long message":     {sdk.TaskError{Code: "x", Message: text(5000)}, sdk.TaskError{Code: "x", Message: text(4096)}},
		"largest details":  {sdk.TaskError{Code: "x", Details: jsonText(16384)}, sdk.TaskError{Code: "x", Details: jsonText(16384)}},
		"larger details":   {sdk.TaskError{Code: "x", Details: jsonText(16385)}, sdk.TaskError{Code: "x"}},
		"details not JSON": {sdk.TaskError{Code: "x", Details: json.RawMessage("{")}, sdk.TaskError{Code: "x"}},
	} {
		if diff := cmp.Diff(tc.want, tc.in.Trim()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		raw  json.RawMessage
		want error
	}{
		"a number":                {json.RawMessage("1"), nil},
		"a huge number":           {json.RawMessage("1e999999"), nil},
		"deepest":                 {nested(64), nil},
		"too deep":                {nested(65), sdk.ErrInvalidInput},
		"brackets in a string":    {json.RawMessage(`"` + strings.Repeat("[{", 300) + `"`), nil},
		"after an escaped quote":  {json.RawMessage(`"\"` + strings.Repeat("[", 90) + `"`), nil},
		"after an escaped escape": {json.RawMessage(`["\\",` + string(nested(64)) + `]`), sdk.ErrInvalidInput},
		"siblings":                {json.RawMessage(`[` + strings.TrimSuffix(strings.Repeat("[],", 100), ",") + `]`), nil},
		"empty":                   {nil, sdk.ErrInvalidInput},
		"two values":              {json.RawMessage("1 2"), sdk.ErrInvalidInput},
		"not UTF-8":               {json.RawMessage("\"\xff\""), sdk.ErrInvalidInput},
		"largest":                 {jsonText(1000), nil},
		"too large":               {jsonText(1001), sdk.ErrPayloadTooLarge},
	} {
		if got := sdk.CheckJSON(tc.raw, 1000); !errors.Is(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
