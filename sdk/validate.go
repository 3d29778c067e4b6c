package sdk

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Validate checks every bound of the request and answers nil or an [Error] of code invalid_input whose Faults name each wrong
// field. The client, the API and the workflow all call it, so they can not disagree. Call it before or after Resolve.
func (r TaskRequest) Validate() error {
	var f faults
	f.typeAndRole(r)
	f.title(r.Title)
	f.text("$.description", r.Description, MaxDescription)
	f.json("$.input", r.Input, MaxInput)
	f.json("$.budget", r.Budget, MaxMetadataValue)
	if _, ok := r.Priority.Canonical(); !ok {
		f.add("$.priority", "must be low, medium (or normal), high or critical (or urgent)")
	}
	f.optionalID("$.agentId", r.AgentID)
	f.optionalID("$.parentId", r.ParentID)
	if r.Detached && r.ParentID == "" {
		f.add("$.detached", "needs parentId: there is nothing to be detached from")
	}
	f.capabilities(r.Capabilities)
	f.metadata(r.Metadata)
	f.text("$.correlationId", r.CorrelationID, MaxCorrelationID)
	f.text("$.fairnessKey", r.FairnessKey, MaxFairnessKey)
	if r.Retry != nil {
		f.retry("$.retry", *r.Retry)
	}
	if t := r.Timeouts; t != nil {
		f.timeout("$.timeouts.queueMs", t.QueueMs, MinTimeoutMs)
		f.timeout("$.timeouts.attemptMs", t.AttemptMs, MinTimeoutMs)
		f.timeout("$.timeouts.totalMs", t.TotalMs, MinTimeoutMs)
		f.timeout("$.timeouts.heartbeatMs", t.HeartbeatMs, MinHeartbeatMs)
		f.timeout("$.timeouts.inputMs", t.InputMs, MinTimeoutMs)
	}
	f.fallback(r.Fallback)
	return f.err()
}

// faults collects what is wrong, so that a caller learns all of it at once.
type faults []Fault

func (f *faults) add(path, format string, args ...any) {
	*f = append(*f, Fault{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Code: CodeInvalidInput, Message: "the request is not valid", Faults: f}
}

func (f *faults) typeAndRole(r TaskRequest) {
	switch {
	case r.Type == "":
		f.add("$.type", "is required")
	case !r.Type.Valid():
		f.add("$.type", "must be a dotted lower-case name of at most %d characters, such as code.write", MaxType)
	default:
		if _, ok := r.Type.DefaultRole(); !ok && r.Role == "" {
			f.add("$.role", "is required: %q is not a built-in type and has no default role", r.Type)
		}
	}
	f.role("$.role", r.Role)
}

func (f *faults) role(path string, r Role) {
	if r != "" && !r.Valid() {
		f.add(path, "must start with a lower-case letter and hold at most 63 of a-z, 0-9 and -")
	}
}

func (f *faults) title(s string) {
	switch {
	case strings.TrimSpace(s) == "":
		f.add("$.title", "is required")
	case !utf8.ValidString(s):
		f.add("$.title", "is not valid UTF-8")
	case utf8.RuneCountInString(s) > MaxTitle:
		f.add("$.title", "has more than %d characters", MaxTitle)
	case strings.ContainsFunc(s, unicode.IsControl):
		f.add("$.title", "must be one line without control characters")
	}
}

func (f *faults) text(path, s string, limit int) {
	if !utf8.ValidString(s) {
		f.add(path, "is not valid UTF-8")
	}
	if len(s) > limit {
		f.add(path, "is larger than %d bytes", limit)
	}
}

func (f *faults) json(path string, raw json.RawMessage, limit int) {
	if len(raw) == 0 {
		return
	}
	if len(raw) > limit {
		f.add(path, "is larger than %d bytes", limit)
		return
	}
	if msg := checkJSON(raw); msg != "" {
		f.add(path, "%s", msg)
	}
}

func (f *faults) optionalID(path, id string) {
	if id != "" && !ValidID(id) {
		f.add(path, "must start with a letter or digit and hold at most 128 of A-Z, a-z, 0-9, _ and -")
	}
}

func (f *faults) capabilities(list []string) {
	if len(list) > MaxCapabilities {
		f.add("$.capabilities", "has more than %d entries", MaxCapabilities)
		return
	}
	for i, c := range list {
		path := fmt.Sprintf("$.capabilities[%d]", i)
		if c == "" {
			f.add(path, "is empty")
		}
		f.text(path, c, MaxCapability)
	}
}

func (f *faults) metadata(m map[string]string) { f.pairs("$.metadata", m) }

func (f *faults) pairs(at string, m map[string]string) {
	if len(m) > MaxMetadata {
		f.add(at, "has more than %d pairs", MaxMetadata)
		return
	}
	// In sorted order, so that the same faults come out in the same order.
	keys := make([]string, 0, len(m))
	//workflowcheck:ignore
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		path := fmt.Sprintf("%s[%q]", at, Cut(k, MaxMetadataKey))
		if k == "" {
			f.add(path, "has an empty key")
		}
		if len(k) > MaxMetadataKey {
			f.add(path, "has a key larger than %d bytes", MaxMetadataKey)
		}
		if !utf8.ValidString(k) {
			f.add(path, "has a key that is not valid UTF-8")
		}
		f.text(path, m[k], MaxMetadataValue)
	}
}

func (f *faults) retry(path string, r Retry) {
	if r.MaxAttempts < 0 || r.MaxAttempts > MaxMaxAttempts {
		f.add(path+".maxAttempts", "must be from 1 to %d", MaxMaxAttempts)
	}
	if r.InitialIntervalMs != 0 && (r.InitialIntervalMs < MinIntervalMs || r.InitialIntervalMs > MaxTimeoutMs) {
		f.add(path+".initialIntervalMs", "must be from %d to %d", MinIntervalMs, int64(MaxTimeoutMs))
	}
	if c := r.BackoffCoefficient; c != 0 && !(c >= MinCoefficient && c <= MaxCoefficient) {
		f.add(path+".backoffCoefficient", "must be from %d to %d", MinCoefficient, MaxCoefficient)
	}
	if r.MaxIntervalMs != 0 && (r.MaxIntervalMs < MinIntervalMs || r.MaxIntervalMs > MaxTimeoutMs) {
		f.add(path+".maxIntervalMs", "must be from %d to %d", MinIntervalMs, int64(MaxTimeoutMs))
	} else if r.MaxIntervalMs != 0 && r.MaxIntervalMs < r.InitialIntervalMs {
		f.add(path+".maxIntervalMs", "must not be less than initialIntervalMs")
	}
}

func (f *faults) timeout(path string, ms, low int64) {
	if ms != 0 && (ms < low || ms > MaxTimeoutMs) {
		f.add(path, "must be from %d to %d milliseconds", low, int64(MaxTimeoutMs))
	}
}

func (f *faults) fallback(stages []Stage) {
	if len(stages) > MaxFallback {
		f.add("$.fallback", "has more than %d stages", MaxFallback)
		return
	}
	for i, s := range stages {
		path := fmt.Sprintf("$.fallback[%d]", i)
		f.role(path+".role", s.Role)
		f.optionalID(path+".agentId", s.AgentID)
		f.text(path+".model", s.Model, MaxModel)
		if s.Retry != nil {
			f.retry(path+".retry", *s.Retry)
		}
		if t := s.Timeouts; t != nil {
			f.timeout(path+".timeouts.queueMs", t.QueueMs, MinTimeoutMs)
			f.timeout(path+".timeouts.attemptMs", t.AttemptMs, MinTimeoutMs)
			f.timeout(path+".timeouts.heartbeatMs", t.HeartbeatMs, MinHeartbeatMs)
		}
	}
}
