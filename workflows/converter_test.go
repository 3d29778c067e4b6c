package workflows

import (
	"encoding/json"
	"strings"
	"testing"

	"go.temporal.io/sdk/converter"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestDataConverter_KeepsTheLargestRequestInsideAPayload: an input of the largest size, of the bytes that HTML escaping makes six
// times as large, and read by Temporal's own converter as well.
func TestDataConverter_KeepsTheLargestRequestInsideAPayload(t *testing.T) {
	t.Parallel()
	in := TaskInput{Project: "default", ID: "t1", Request: sdk.TaskRequest{
		Type: "code.write", Title: "<&>", Description: strings.Repeat("<", sdk.MaxDescription),
		Input: json.RawMessage(`"` + strings.Repeat("<", sdk.MaxInput-2) + `"`),
	}}
	payload, err := DataConverter().ToPayload(in)
	if err != nil {
		t.Fatal(err)
	}
	size, err := EncodedSize(in)
	if err != nil || size > 600<<10 || size != len(payload.GetData()) {
		t.Errorf("%d bytes, %v", size, err)
	}
	var out TaskInput
	if err := converter.GetDefaultDataConverter().FromPayload(payload, &out); err != nil {
		t.Fatal(err)
	}
	if string(out.Request.Input) != string(in.Request.Input) || out.Request.Title != "<&>" {
		t.Error("it reads differently")
	}
	escaped, err := converter.GetDefaultDataConverter().ToPayload(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := DataConverter().FromPayload(escaped, &out); err != nil || !sameJSON(out.Request.Input, in.Request.Input) {
		t.Errorf("a payload of Temporal's converter reads differently: %v", err)
	}
}
