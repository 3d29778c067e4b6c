package pi

import (
	"bytes"
	"encoding/json"

	"github.com/rolecall-dev/rolecall/sdk"
)

// The types of pi's events that mean something here; every other line is passed over.
const (
	eventSession     = "session"
	eventAgentStart  = "agent_start"
	eventAgentEnd    = "agent_end"
	eventTurnStart   = "turn_start"
	eventUpdate      = "message_update"
	eventMessageEnd  = "message_end"
	eventToolStart   = "tool_execution_start"
	eventToolEnd     = "tool_execution_end"
	eventRetryStart  = "auto_retry_start"
	eventRetryEnd    = "auto_retry_end"
	updateTextDelta  = "text_delta"
	roleAssistant    = "assistant"
	contentText      = "text"
	stopReasonStop   = "stop"
	stopReasonLength = "length"
	stopReasonError  = "error"
)

// event is what one line says, of all types together. A message_update is not decoded into it: see textDelta.
type event struct {
	ID           string          `json:"id"`
	Message      *message        `json:"message"`
	ToolName     string          `json:"toolName"`
	Args         json.RawMessage `json:"args"`
	Result       toolResult      `json:"result"`
	IsError      bool            `json:"isError"`
	Attempt      int             `json:"attempt"`
	MaxAttempts  int             `json:"maxAttempts"`
	DelayMs      int64           `json:"delayMs"`
	ErrorMessage string          `json:"errorMessage"`
	Success      bool            `json:"success"`
	FinalError   string          `json:"finalError"`
}

// message is one message of the conversation, when it is complete.
type message struct {
	Role         string `json:"role"`
	Model        string `json:"model"`
	StopReason   string `json:"stopReason"`
	ErrorMessage string `json:"errorMessage"`
	Usage        *usage `json:"usage"`
	content
}

// content is what a message or the result of a tool holds.
type content struct {
	Content []part `json:"content"`
}

// toolResult is what a tool answers: text, and what else it says as JSON.
type toolResult struct {
	content
	Details json.RawMessage `json:"details"`
}

// part is one piece of content; only text is kept.
type part struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// usage is what one request to the model took. Input is without what came from the cache.
type usage struct {
	Input      int64 `json:"input"`
	Output     int64 `json:"output"`
	CacheRead  int64 `json:"cacheRead"`
	CacheWrite int64 `json:"cacheWrite"`
	Total      int64 `json:"totalTokens"`
	Cost       struct {
		Total float64 `json:"total"`
	} `json:"cost"`
}

// metrics are the request's own: its input with what came from the cache.
func (u *usage) metrics() sdk.Metrics {
	input := sdk.Metrics{InputTokens: &u.Input}
	for _, n := range []*int64{&u.CacheRead, &u.CacheWrite} {
		input = input.Plus(sdk.Metrics{InputTokens: n})
	}
	return sdk.Metrics{InputTokens: input.InputTokens, OutputTokens: &u.Output, TokensUsed: &u.Total, CostUSD: &u.Cost.Total}
}

// usageAtEnd finds what a request took in the end of its message's line; nil when it is not there. It stands behind the content, in
// whose text every quote is escaped.
func usageAtEnd(end []byte) *usage {
	const key = `"usage":`
	at := bytes.LastIndex(end, []byte(key+"{"))
	if at < 0 {
		return nil
	}
	u := &usage{}
	if json.NewDecoder(bytes.NewReader(end[at+len(key):])).Decode(u) != nil {
		return nil
	}
	return u
}

// text is the text of the content, its parts joined.
func (c content) text() string {
	var b []byte
	for _, p := range c.Content {
		if p.Type == contentText {
			b = append(b, p.Text...)
		}
	}
	return string(b)
}

// typeOf reads the type of an event off its line, and nothing behind it: pi writes it first.
func typeOf(line []byte) string {
	var kind string
	walk(json.NewDecoder(bytes.NewReader(line)), func(key string, value *json.Decoder) bool {
		if key != "type" {
			return skip(value)
		}
		_ = value.Decode(&kind) // it stays empty
		return false
	})
	return kind
}

// textDelta reads the new piece of text off a message_update. The whole message so far follows it, twice; that is not looked at,
// so that the cost of a long answer does not grow with its square.
func textDelta(line []byte) string {
	var kind, delta string
	walk(json.NewDecoder(bytes.NewReader(line)), func(key string, value *json.Decoder) bool {
		if key != "assistantMessageEvent" {
			return skip(value)
		}
		walk(value, func(key string, value *json.Decoder) bool {
			switch key {
			case "type":
				return value.Decode(&kind) == nil && kind == updateTextDelta
			case "delta":
				_ = value.Decode(&delta) // it stays empty
				return false
			case "contentIndex":
				return skip(value)
			default:
				return false
			}
		})
		return false
	})
	if kind != updateTextDelta {
		return ""
	}
	return delta
}

// skip reads past a value.
func skip(d *json.Decoder) bool {
	var v json.RawMessage
	return d.Decode(&v) == nil
}

// walk calls field for each key of the object that d stands before, until field answers false. field reads the value.
func walk(d *json.Decoder, field func(key string, value *json.Decoder) bool) {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return
	}
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok || !field(key, d) {
			return
		}
	}
}
