package workflows

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestCheckSchema(t *testing.T) {
	t.Parallel()
	for schema, ok := range map[string]bool{
		``: true, `true`: true, `{}`: true, `{"type":"string","enum":["a"]}`: true,
		`{"properties":{"reference":{"type":"string"}}}`: true,
		`{"type":7}`: false, `[]`: false, `{`: false, `{"$ref":"#"}`: false, `{"$Ref":"#"}`: false, `{"$REF":"http://x"}`: false,
		`{"\u0024ref":"#"}`: false, `{"$recursiveRef":"#"}`: false,
		`{"allOf":[` + strings.Repeat(`{},`, 200) + `{}]}`:                    true,
		`{"allOf":[` + strings.Repeat(`{},`, maxSchemaValues) + `{}]}`:        false,
		`{"enum":[` + strings.Repeat(`[`, 70) + strings.Repeat(`]`, 71) + `}`: false,
	} {
		if err := CheckSchema(json.RawMessage(schema)); (err == nil) != ok {
			t.Errorf("%.60s: %v", schema, err)
		} else if err != nil && !errors.Is(err, sdk.ErrInvalidInput) {
			t.Errorf("%.60s: %v is not invalid_input", schema, err)
		}
	}
}

// TestCheckAnswer_TakesABoundedTime: the costliest schema against the largest answer. By itself it takes a tenth of the second after
// which Temporal takes a workflow for stuck; the bound leaves room for the race detector and a loaded machine, and unbounded it
// would take many times as long.
func TestCheckAnswer_TakesABoundedTime(t *testing.T) {
	t.Parallel()
	schema := `{"items":{"allOf":[` + strings.Repeat(`{},`, maxSchemaValues-20) + `{}]},"uniqueItems":true}`
	answer := `[` + strings.Repeat(`1,`, maxAnswerValues-10) + `2]`
	if err := CheckSchema(json.RawMessage(schema)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := checkAnswer(json.RawMessage(schema), json.RawMessage(answer)); err == nil {
		t.Error("equal items are taken for unique")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if err := checkAnswer(nil, json.RawMessage(`[`+strings.Repeat(`1,`, maxAnswerValues)+`2]`)); !errors.Is(err, sdk.ErrInvalidInput) {
		t.Errorf("%v", err)
	}
}
