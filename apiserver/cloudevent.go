package apiserver

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	contentTypeCloudEvent = "application/cloudevents+json"
	maxOriginSource       = 1024 // bytes of a CloudEvent's own source
	maxDataContentType    = 256  // bytes of its datacontenttype
)

// sendsCloudEvent reports whether a request's body is declared as one CloudEvent in structured mode.
func sendsCloudEvent(r *http.Request) bool {
	declared := r.Header.Values("Content-Type")
	if len(declared) != 1 {
		return false
	}
	media, params, err := mime.ParseMediaType(declared[0])
	charset := params["charset"]
	return err == nil && media == contentTypeCloudEvent && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// readCloudEvent reads a CloudEvent 1.0. Its source is kept as originsource; data stays as it came. What the log would not keep is
// refused by name.
func readCloudEvent(body requestBody) (sentEvents, *sdk.Error) {
	if body.err != nil {
		return sentEvents{}, body.err
	}
	tree, faults, fault := parseJSON(body.raw)
	if fault != nil {
		return sentEvents{}, fault
	}
	s := sentEvents{faults: faults}
	fields, ok := tree.(map[string]any)
	if !ok {
		s.faults.add(sdk.Fault{Path: "$", Message: "must be an object: one CloudEvent"})
		return s, nil
	}
	s.faults.add(attributeFaults(fields)...)
	var sent event.Event
	if err := json.Unmarshal(body.raw, &sent); err != nil {
		s.faults.add(sdk.Fault{Path: "$", Message: "is no CloudEvent 1.0 in structured JSON: specversion, id, source and type are strings, time is RFC 3339"})
		return s, nil
	}
	if wrong, ok := errors.AsType[event.ValidationError](sent.Validate()); ok {
		for _, name := range sortedKeys(anyMap(wrong)) {
			s.faults.add(sdk.Fault{Path: jsonPath{}.key(name).String(), Message: "is missing or not what CloudEvents 1.0 asks for"})
		}
	}
	var raw struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body.raw, &raw); err != nil {
		return s, sdk.Errorf(sdk.CodeInternal, "a CloudEvent can not be decoded: %T", err)
	}
	text := func(name string) string {
		value, _ := fields[name].(string)
		return value
	}
	e := sdk.Event{
		ID: sent.ID(), Type: sdk.EventType(sent.Type()), Subject: sent.Subject(), OriginSource: sent.Source(), DataContentType: sent.DataContentType(),
		CorrelationID: text("correlationid"), CausationID: text("causationid"),
	}
	if at := sent.Time(); !at.IsZero() {
		e.Time = at.UTC()
		if year := e.Time.Year(); year < 0 || year > 9999 {
			s.faults.add(sdk.Fault{Path: "$.time", Message: "must be in the years 0 to 9999 in UTC too"})
		}
	}
	if len(raw.Data) > 0 && !isNull(raw.Data) {
		e.Data = raw.Data
		if e.DataContentType == "" {
			e.DataContentType = "application/json"
		}
	}
	if sent.SpecVersion() != sdk.EventSpecVersion {
		s.faults.add(sdk.Fault{Path: "$.specversion", Message: "must be " + sdk.EventSpecVersion})
	}
	s.check("$", ".correlationid", e)
	return s, nil
}

func anyMap[T any](m map[string]T) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// attributeFaults refuses attributes that are the server's to set, and such as the log does not keep.
func attributeFaults(fields map[string]any) (faults []sdk.Fault) {
	kept := []string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
	for _, name := range sortedKeys(fields) {
		message := ""
		switch _, isText := fields[name].(string); {
		case slices.Contains(kept, name):
		case name == "correlationid" || name == "causationid":
			if !isText {
				message = "must be a string"
			}
		case name == "data_base64":
			message = "is not taken: send data as JSON"
		case slices.Contains(serverAttributes(), name):
			message = setByServer
		default:
			message = "is not kept: leave it out, or put it into data"
		}
		if message != "" {
			faults = append(faults, sdk.Fault{Path: jsonPath{}.key(name).String(), Message: message})
		}
	}
	return faults
}
