package command

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// maxDescribing bounds each part of a result line that describes the output.
const maxDescribing = 64 << 10

// message is what one line of stdout says.
type message struct {
	progress *sdk.Progress
	without  bool // the progress says nothing of its percentage
	resume   json.RawMessage
	spent    *sdk.Metrics
	answer   answer
}

// decode answers what a line says, or nil when it is log. wrong is not empty when the line has a message's key, but something
// about it had to be left out; it never holds any of the line's own text.
func decode(line []byte) (m *message, wrong string) {
	line = bytes.TrimSpace(line)
	if len(line) < 2 || line[0] != '{' || line[len(line)-1] != '}' {
		return nil, ""
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(bytes.ToValidUTF8(line, []byte("\uFFFD")), &fields) != nil {
		return nil, ""
	}
	m = &message{}
	known := false
	for _, part := range []struct {
		key  string
		take func(json.RawMessage) (string, bool)
	}{
		{"progress", m.takeProgress}, {"resume", m.takeResume}, {"inputRequired", m.takeInput},
		{"result", m.takeResult}, {"error", m.takeError},
	} {
		raw, ok := fields[part.key]
		if !ok {
			continue
		}
		fault, taken := part.take(raw)
		known = known || taken
		if fault != "" {
			wrong = part.key + " " + fault
		}
	}
	if !known {
		return nil, wrong
	}
	if fault := m.takeSpent(fields["metrics"]); fault != "" {
		wrong = fault
	}
	return m, wrong
}

// takeSpent takes the metrics beside a message. Each number of a result's own goes before.
func (m *message) takeSpent(raw json.RawMessage) (wrong string) {
	var spent sdk.Metrics
	if raw != nil && !describe(raw, &spent) {
		wrong = "metrics are of a wrong shape or size: they are left out"
	}
	if own := m.spent; own != nil {
		spent.TokensUsed = cmp.Or(own.TokensUsed, spent.TokensUsed)
		spent.InputTokens = cmp.Or(own.InputTokens, spent.InputTokens)
		spent.OutputTokens = cmp.Or(own.OutputTokens, spent.OutputTokens)
		spent.CostUSD = cmp.Or(own.CostUSD, spent.CostUSD)
	}
	if m.spent = nil; spent.Spent() {
		m.spent = &spent
	}
	return wrong
}

const notThatShape = "has not the shape of such a message: the line is taken as log"

func (m *message) takeProgress(raw json.RawMessage) (string, bool) {
	var p *struct {
		Percentage *float64 `json:"percentage"`
		Phase      string   `json:"phase"`
		Message    string   `json:"message"`
		Delta      string   `json:"delta"`
		Tool       string   `json:"tool"`
		Category   string   `json:"category"`
	}
	if json.Unmarshal(raw, &p) != nil || p == nil {
		return notThatShape, false
	}
	m.progress = &sdk.Progress{Phase: p.Phase, Message: p.Message, Delta: p.Delta, Tool: p.Tool, Category: p.Category}
	if m.without = p.Percentage == nil; !m.without {
		m.progress.Percentage = *p.Percentage
	}
	return "", true
}

func (m *message) takeResume(raw json.RawMessage) (string, bool) {
	m.resume = compact(raw)
	return "", true
}

func (m *message) takeInput(raw json.RawMessage) (string, bool) {
	var in *sdk.InputRequired
	if json.Unmarshal(raw, &in) != nil || in == nil || in.Prompt == "" {
		return notThatShape, false
	}
	if string(in.Schema) == "null" {
		in.Schema = nil
	}
	if len(in.Schema) > 0 {
		in.Schema = compact(in.Schema)
		if err := sdk.CheckJSON(in.Schema, sdk.MaxSchema); err != nil {
			m.answer.refuse(unfit("the schema of inputRequired", err))
			return "has a schema that is refused", true
		}
	}
	if len(in.Prompt) > sdk.MaxPrompt {
		m.answer.refuse(unfit("the prompt of inputRequired", sdk.Errorf(sdk.CodePayloadTooLarge,
			"%d bytes are more than the %d allowed", len(in.Prompt), sdk.MaxPrompt)))
		return "has a prompt that is refused", true
	}
	m.answer = answer{input: in}
	return "", true
}

func (m *message) takeResult(raw json.RawMessage) (wrong string, taken bool) {
	var f map[string]json.RawMessage
	if json.Unmarshal(raw, &f) != nil || f["output"] == nil {
		return notThatShape, false
	}
	res := &sdk.Result{Output: compact(f["output"])}
	for key, to := range map[string]any{
		"metrics": &res.Metrics, "model": &res.Model, "qualityGatePassed": &res.QualityGatePassed,
		"qualityGate": &res.QualityGate, "reflection": &res.Reflection, "episodeRefs": &res.EpisodeRefs,
	} {
		if v, ok := f[key]; ok && !describe(v, to) {
			wrong = "is described by something of a wrong shape or size: that is left out"
		}
	}
	m.spent = &res.Metrics // also of a result that is refused
	if err := sdk.CheckJSON(res.Output, sdk.MaxOutput); err != nil {
		m.answer.refuse(unfit("the output", err))
		return "has an output that is refused", true
	}
	m.answer.result, m.answer.input, m.answer.unfit = res, nil, nil
	return wrong, true
}

// describe fills a part of the result, wholly or not at all.
func describe(raw json.RawMessage, to any) bool {
	if string(raw) == "null" {
		return true
	}
	if sdk.CheckJSON(raw, maxDescribing) != nil {
		return false
	}
	switch to := to.(type) {
	case *json.RawMessage:
		*to = compact(raw)
	case *sdk.Metrics:
		var metrics sdk.Metrics
		if json.Unmarshal(raw, &metrics) != nil {
			return false
		}
		*to = metrics
	case *[]string:
		var list []string
		if json.Unmarshal(raw, &list) != nil {
			return false
		}
		*to = list
	case *string:
		if len(raw) > sdk.MaxModel {
			return false
		}
		return json.Unmarshal(raw, to) == nil
	default:
		return json.Unmarshal(raw, to) == nil
	}
	return true
}

func (m *message) takeError(raw json.RawMessage) (string, bool) {
	var e *struct {
		sdk.TaskError
		Retryable    *bool `json:"retryable"`
		RetryAfterMs int64 `json:"retryAfterMs"`
	}
	if json.Unmarshal(raw, &e) != nil || e == nil || (e.Code == "" && e.Message == "") {
		return notThatShape, false
	}
	if e.Message == "" {
		e.Message = "the program gave no message"
	}
	fail := sdk.Retryable(e.Code, errors.New(e.Message))
	fail.Retryable = e.Retryable == nil || *e.Retryable
	fail.Details = e.Details
	fail.TaskError = fail.Trim()
	fail.RetryAfter = time.Duration(min(max(e.RetryAfterMs, 0), sdk.MaxTimeoutMs)) * time.Millisecond
	m.answer.failure = fail
	return "", true
}

// unfit is the final failure of an attempt whose answer is over a bound or malformed.
func unfit(what string, err error) *sdk.AgentError {
	code := sdk.CodeInvalidOutput
	if errors.Is(err, sdk.ErrPayloadTooLarge) {
		code = sdk.CodePayloadTooLarge
	}
	fail := sdk.Final(code, err)
	fail.Message = what + " is refused: " + err.Error()
	return fail
}

// compact is raw without white space between its tokens; raw is valid JSON.
func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}
