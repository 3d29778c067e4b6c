package workflows

import (
	"bytes"
	"encoding/json"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
)

// DataConverter is the default of every Temporal client and worker of rolecall: Temporal's own, but for JSON, which is written
// without escaping < > & for HTML. Escaped, each is six bytes, and an input inside its bound could pass Temporal's limit for a
// payload. Payloads of either kind can be read by both.
func DataConverter() converter.DataConverter {
	return converter.NewCompositeDataConverter(
		converter.NewNilPayloadConverter(),
		converter.NewByteSlicePayloadConverter(),
		converter.NewProtoJSONPayloadConverter(),
		converter.NewProtoPayloadConverter(),
		plainJSON{converter.NewJSONPayloadConverter()},
	)
}

// plainJSON is Temporal's converter for JSON, writing without escapes for HTML.
type plainJSON struct {
	*converter.JSONPayloadConverter
}

// ToPayload writes a value.
func (c plainJSON) ToPayload(value any) (*commonpb.Payload, error) {
	payload, err := c.JSONPayloadConverter.ToPayload(value)
	if err != nil || payload == nil {
		return payload, err
	}
	if payload.Data, err = encode(value); err != nil {
		return nil, err
	}
	return payload, nil
}

// EncodedSize is how many bytes a value takes in a payload of [DataConverter]; an error says that it can not be written as JSON.
func EncodedSize(value any) (int, error) {
	raw, err := encode(value)
	return len(raw), err
}

func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
