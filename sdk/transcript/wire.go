package transcript

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// wire is what a line may hold, of all agents together. Nothing in it nests without end, so that reading it takes a fixed number of passes.
type wire struct {
	Type      string `json:"type"`
	Subtype   string `json:"subtype"`
	Role      string `json:"role"`
	Timestamp stamp  `json:"timestamp"`

	Tool          word            `json:"tool"`
	ToolName      string          `json:"toolName"`
	ToolNameSnake string          `json:"tool_name"`
	Name          string          `json:"name"`
	ToolCallID    string          `json:"toolCallId"`
	ToolUseID     string          `json:"tool_use_id"`
	ToolID        string          `json:"tool_id"`
	Args          json.RawMessage `json:"args"`
	Arguments     json.RawMessage `json:"arguments"`
	Input         json.RawMessage `json:"input"`
	Parameters    json.RawMessage `json:"parameters"`

	Text         word            `json:"text"`
	Content      words           `json:"content"`
	Output       words           `json:"output"`
	Result       words           `json:"result"`
	Error        words           `json:"error"`
	ErrorMessage string          `json:"errorMessage"`
	FinalError   string          `json:"finalError"`
	Delta        piece           `json:"delta"`
	Data         json.RawMessage `json:"data"`
	Details      json.RawMessage `json:"details"`

	IsError      bool            `json:"isError"`
	IsErrorSnake bool            `json:"is_error"`
	Success      json.RawMessage `json:"success"`
	Status       string          `json:"status"`

	Message       message         `json:"message"`
	Update        update          `json:"assistantMessageEvent"`
	ToolUseResult json.RawMessage `json:"tool_use_result"`
	Event         *partialEvent   `json:"event"`
	Item          *item           `json:"item"`
	Part          *openPart       `json:"part"`
}

// update is what pi's message_update brings.
type update struct {
	Type  string `json:"type"`
	Delta string `json:"delta"`
}

// partialEvent is the event of the model's service that Claude Code passes on.
type partialEvent struct {
	Type  string `json:"type"`
	Delta struct {
		Text string `json:"text"`
	} `json:"delta"`
	Block struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"content_block"`
}

// item is an item of Codex.
type item struct {
	ID               string          `json:"id"`
	Type             string          `json:"type"`
	Text             string          `json:"text"`
	Message          string          `json:"message"`
	Command          string          `json:"command"`
	AggregatedOutput string          `json:"aggregated_output"`
	Tool             word            `json:"tool"`
	Arguments        json.RawMessage `json:"arguments"`
	Result           words           `json:"result"`
	Error            words           `json:"error"`
	Status           string          `json:"status"`
	ExitCode         *int            `json:"exit_code"`
}

// openPart is a part of OpenCode.
type openPart struct {
	Type   string    `json:"type"`
	Text   string    `json:"text"`
	Reason string    `json:"reason"`
	Tool   word      `json:"tool"`
	CallID string    `json:"callID"`
	State  toolState `json:"state"`
}

type toolState struct {
	Status   string          `json:"status"`
	Input    json.RawMessage `json:"input"`
	Output   words           `json:"output"`
	Error    words           `json:"error"`
	Metadata json.RawMessage `json:"metadata"`
}

func (s *toolState) exit() (m struct {
	Exit *int `json:"exit"`
}) {
	_ = json.Unmarshal(s.Metadata, &m) // it stays nil
	return m
}

// message is a message of the conversation, or a text in its place.
type message struct {
	Role         string `json:"role"`
	Model        string `json:"model"`
	StopReason   string `json:"stopReason"`
	ErrorMessage string `json:"errorMessage"`
	ToolName     string `json:"toolName"`
	ToolCallID   string `json:"toolCallId"`
	Content      blocks `json:"content"`
}

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (m *message) UnmarshalJSON(raw []byte) error {
	type object message
	switch raw[0] {
	case '{':
		_ = json.Unmarshal(raw, (*object)(m)) // what has another shape is left out
	case '"':
		_ = m.Content.UnmarshalJSON(raw)
	}
	return nil
}

// text joins the texts of the message.
func (m *message) text() string {
	if len(m.Content) == 1 {
		return m.Content[0].said()
	}
	var b strings.Builder
	for _, p := range m.Content {
		b.WriteString(p.said())
	}
	return b.String()
}

// block is a part of a message.
type block struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
	ToolUseID string          `json:"tool_use_id"`
	Content   textParts       `json:"content"`
	IsError   bool            `json:"is_error"`
}

func (b block) said() string {
	if b.Type != "text" {
		return ""
	}
	return b.Text
}

type blocks []block

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (b *blocks) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		one := block{Type: "text"}
		_ = json.Unmarshal(raw, &one.Text) // a string
		*b = blocks{one}
	case '[':
		_ = json.Unmarshal(raw, (*[]block)(b)) // what has another shape is left out
	}
	return nil
}

// textParts is text as a string or as a list of parts.
type textParts struct{ text string }

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (l *textParts) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		_ = json.Unmarshal(raw, &l.text) // a string
	case '[':
		var parts []struct {
			Type string `json:"type"`
			Text string `json:"text"`
		}
		_ = json.Unmarshal(raw, &parts) // what has another shape is left out
		var b strings.Builder
		for _, p := range parts {
			if p.Type == "text" || p.Type == "" {
				b.WriteString(p.Text)
			}
		}
		l.text = b.String()
	}
	return nil
}

// words is text as a string, as a list of parts, or in an object around either.
type words struct {
	text string
	data json.RawMessage // the object; of one that is too large what stands in it beside the text
}

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (w *words) UnmarshalJSON(raw []byte) error {
	if raw[0] != '{' {
		var l textParts
		err := l.UnmarshalJSON(raw)
		w.text = l.text
		return err
	}
	var o struct {
		Text    word      `json:"text"`
		Message word      `json:"message"`
		Name    word      `json:"name"`
		Content textParts `json:"content"`
		Data    struct {
			Message string `json:"message"`
		} `json:"data"`
		Details    json.RawMessage `json:"details"`
		Structured json.RawMessage `json:"structured_content"`
	}
	_ = json.Unmarshal(raw, &o) // what has another shape is left out
	for _, text := range []string{o.Content.text, string(o.Text), string(o.Message), o.Data.Message, string(o.Name)} {
		if w.text == "" {
			w.text = text
		}
	}
	if w.data = boundedData(raw, o.Details, o.Structured); len(w.data) == len(raw) {
		w.data = bytes.Clone(raw)
	}
	return nil
}

// word is a string; any other value is passed over.
type word string

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (w *word) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(w))
	}
	return nil
}

// piece is a new piece of text, or whether the text beside it is one.
type piece struct {
	text  string
	piece bool
}

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (p *piece) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		return json.Unmarshal(raw, &p.text)
	case 't':
		p.piece = true
	}
	return nil
}

// stamp is a time in milliseconds or as RFC 3339 writes it.
type stamp struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (s *stamp) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		if at, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(raw)); err == nil {
			s.Time = at
		}
		return nil
	}
	var ms float64
	if json.Unmarshal(raw, &ms) == nil && ms > 0 && ms < 1<<52 {
		s.Time = time.UnixMilli(int64(ms)).UTC()
	}
	return nil
}
