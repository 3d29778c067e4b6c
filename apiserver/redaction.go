package apiserver

import (
	"errors"

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

// redactRequest is a request as it may be stored, which is also what the agent gets. It was valid; one that is too large with its secrets
// marked is refused.
func (s *Server) redactRequest(r sdk.TaskRequest) (sdk.TaskRequest, error) {
	clean := s.redaction.Redactor
	if clean == nil {
		return r, nil
	}
	r.Title, r.Description = cutRunes(clean.String(r.Title), sdk.MaxTitle), sdk.Cut(clean.String(r.Description), sdk.MaxDescription)
	r.Input = clean.JSON(r.Input)
	if r.Metadata != nil {
		metadata := make(map[string]string, len(r.Metadata))
		for name, value := range r.Metadata {
			metadata[name] = sdk.Cut(clean.Value(name, value), sdk.MaxMetadataValue)
		}
		r.Metadata = metadata
	}
	if e, ok := errors.AsType[*sdk.Error](r.Validate()); ok {
		e.Message = "the request is not valid once its secrets are redacted"
		return r, e
	}
	return r, nil
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
