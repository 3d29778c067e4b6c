package apiserver

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"

	"github.com/gin-gonic/gin"

	"github.com/rolecall-dev/rolecall/sdk"
)

// requestBody is the body of a request as it came, or why it did not.
type requestBody struct {
	raw []byte
	err *sdk.Error
}

// readBody takes a body of at most [sdk.MaxBody] bytes.
func readBody(c *gin.Context) requestBody {
	tooLarge := sdk.Errorf(sdk.CodePayloadTooLarge, "a body may have at most %d bytes", sdk.MaxBody)
	if c.Request.ContentLength > sdk.MaxBody {
		return requestBody{err: tooLarge}
	}
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, sdk.MaxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return requestBody{err: tooLarge}
	}
	if err != nil {
		return requestBody{err: sdk.Errorf(sdk.CodeInvalidJSON, "the body did not arrive whole")}
	}
	return requestBody{raw: raw}
}

// orEmpty is the body of a request that may be left out whole: none is an empty object.
func (b requestBody) orEmpty() requestBody {
	if b.err == nil && len(b.raw) == 0 {
		b.raw = []byte("{}")
	}
	return b
}

// decoded is a body as a value, with everything that is wrong with its shape. The value holds what is right.
type decoded[T any] struct {
	value  T
	faults faultList
}

// decode reads a body into a T. It answers an error only when there is nothing to read fields from.
func decode[T any](b requestBody) (decoded[T], *sdk.Error) {
	var d decoded[T]
	if b.err != nil {
		return d, b.err
	}
	tree, faults, err := parseJSON(b.raw)
	if err != nil {
		return d, err
	}
	s := shape{faults: faults}
	fitting, ok := s.fit(reflect.TypeFor[T](), tree, nil)
	d.faults = s.faults
	if !ok {
		return d, d.faults.refusal()
	}
	raw := b.raw
	if s.changed || !d.faults.empty() {
		again, err := rewrite(fitting, raw, reflect.TypeFor[T]())
		if err != nil {
			return d, sdk.Errorf(sdk.CodeInternal, "%v", err)
		}
		raw = again
	}
	if err := json.Unmarshal(raw, &d.value); err != nil {
		return d, sdk.Errorf(sdk.CodeInternal, "a body fits its type and can not be decoded: %T", err)
	}
	return d, nil
}

// rewrite writes what fits of a body, with its raw fields as they came.
func rewrite(fitting any, raw []byte, t reflect.Type) ([]byte, error) {
	fields, ok := fitting.(map[string]any)
	if !ok {
		return canonicalJSON(fitting)
	}
	sent := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &sent); err != nil {
		return nil, err
	}
	for name, field := range fieldsOf(t) {
		if _, there := fields[name]; there && field == reflect.TypeFor[json.RawMessage]() {
			fields[name] = sent[name]
		}
	}
	return canonicalJSON(fields)
}

// add enters faults found later.
func (d *decoded[T]) add(more ...sdk.Fault) { d.faults.add(more...) }

// err is nil, or all that is wrong with the request.
func (d *decoded[T]) err() error {
	if d.faults.empty() {
		return nil
	}
	return d.faults.refusal()
}
