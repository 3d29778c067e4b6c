package apiserver

import (
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// Redaction is what the server stores of what it is given, and what the events of its tasks carry: everything while there are no keys, only
// metadata where there are, unless [Config.Capture] says otherwise. The control worker beside a server is given the same.
func (c Config) Redaction() (redact.Events, error) {
	fallback := redact.CaptureFull
	if c.KeysFile != "" {
		fallback = redact.CaptureMetadata
	}
	return redact.ParseEvents(c.Redact, c.Capture, fallback)
}

// secretInID says of a name for something that it can not be taken as it is.
const secretInID = "looks like a secret, which must not be stored: take a name that is none"

// redactRequest is a request as it may be stored, which is also what the agent gets. It was valid; one that is too large with its secrets
// marked is refused.
func (s *Server) redactRequest(r sdk.TaskRequest) (sdk.TaskRequest, error) {
	clean := s.redaction.Redactor
	if clean == nil {
		return r, nil
	}
	r.Title, r.Description = cutRunes(clean.String(r.Title), sdk.MaxTitle), sdk.Cut(clean.String(r.Description), sdk.MaxDescription)
	r.Input, r.Metadata = clean.JSON(r.Input), redactMetadata(clean, r.Metadata)
	r.CorrelationID = sdk.Cut(clean.String(r.CorrelationID), sdk.MaxCorrelationID)
	if clean.String(r.FairnessKey) != r.FairnessKey { // redacted, two keys would become one
		return r, &sdk.Error{Code: sdk.CodeInvalidInput, Message: "the request is not valid", Faults: []sdk.Fault{{Path: "$.fairnessKey", Message: secretInID}}}
	}
	if e, ok := errors.AsType[*sdk.Error](r.Validate()); ok {
		e.Message = "the request is not valid once its secrets are redacted"
		return r, e
	}
	return r, nil
}

// redactMetadata is metadata with names and values redacted. No two names become one.
func redactMetadata(clean *redact.Redactor, metadata map[string]string) map[string]string {
	if metadata == nil {
		return nil
	}
	redacted := make(map[string]string, len(metadata))
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		stored := sdk.Cut(clean.String(name), sdk.MaxMetadataKey)
		for n := 2; stored != name && taken(stored, metadata, redacted); n++ {
			number := " " + strconv.Itoa(n)
			stored = sdk.Cut(clean.String(name), sdk.MaxMetadataKey-len(number)) + number
		}
		redacted[stored] = sdk.Cut(clean.Value(name, metadata[name]), sdk.MaxMetadataValue)
	}
	return redacted
}

func taken(name string, in ...map[string]string) bool {
	return slices.ContainsFunc(in, func(m map[string]string) bool {
		_, there := m[name]
		return there
	})
}

// cutRunes is s with at most limit characters.
func cutRunes(s string, limit int) string {
	n := 0
	for i := range s {
		if n == limit {
			return s[:i]
		}
		n++
	}
	return s
}
