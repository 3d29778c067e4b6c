package apiserver

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rolecall-dev/rolecall/sdk"
)

// requestBody is the body of a request as it came, or why it did not.
type requestBody struct {
	raw []byte
	err *sdk.Error
}

// readBody takes a body of at most [sdk.MaxBody] bytes that arrives within bodyReadTimeout.
func readBody(c *gin.Context) requestBody {
	tooLarge := sdk.Errorf(sdk.CodePayloadTooLarge, "a body may have at most %d bytes", sdk.MaxBody)
	if c.Request.ContentLength > sdk.MaxBody {
		return requestBody{err: tooLarge}
	}
	deadline := http.NewResponseController(c.Writer)
	if deadline.SetReadDeadline(time.Now().Add(bodyReadTimeout)) == nil {
		defer func() { _ = deadline.SetReadDeadline(time.Time{}) }() // the request is read by then
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

// decoded is a body as a value, with everything that is wrong with its shape. The value holds what is right.
type decoded[T any] struct {
	value  T
	tree   any
	faults []sdk.Fault
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
	d.tree, d.faults = tree, s.faults
	if !ok {
		return d, invalid(d.faults)
	}
	raw := b.raw
	if len(d.faults) > 0 {
		again, err := json.Marshal(fitting)
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

// add enters faults found later. The first one of a path stays: it is the one that explains the others.
func (d *decoded[T]) add(more ...sdk.Fault) {
	known := make(map[string]bool, len(d.faults))
	for _, f := range d.faults {
		known[f.Path] = true
	}
	for _, f := range more {
		if !known[f.Path] {
			known[f.Path] = true
			d.faults = append(d.faults, f)
		}
	}
}

// err is nil, or all that is wrong with the body.
func (d *decoded[T]) err() error {
	if len(d.faults) == 0 {
		return nil
	}
	return invalid(d.faults)
}
