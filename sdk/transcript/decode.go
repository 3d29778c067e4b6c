package transcript

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
)

// Decode reads one line of an agent's output: nil when it is no JSON object, one event in most cases, and one for each block of a message of
// Claude Code. Fields that it does not know, or that have another shape than it knows, are passed over.
func Decode(line []byte) []Event {
	line = bytes.TrimSpace(line)
	if len(line) < 2 || line[0] != '{' {
		return nil
	}
	if bytes.HasPrefix(line, []byte(`{"type":"message_update"`)) {
		return []Event{decodeUpdate(line)}
	}
	var w wire
	if _, bad := errors.AsType[*json.SyntaxError](json.Unmarshal(line, &w)); bad {
		return nil
	}
	switch {
	case w.Type == typeMessageUpdate:
		return []Event{w.Update.event()}
	case w.Type == typeAssistant || w.Type == typeUser:
		return w.blocks()
	case w.Item != nil && w.Item.Type != "":
		return []Event{w.item()}
	case w.Part != nil && w.Part.Type != "":
		return []Event{w.part()}
	case w.Event != nil && w.Event.Type != "":
		return []Event{{
			Type: w.Type, Subtype: w.Event.Type, Tool: w.Event.Block.Name, CallID: w.Event.Block.ID, Delta: w.Event.Delta.Text, Time: w.Timestamp.Time,
		}}
	default:
		return []Event{w.event()}
	}
}

// event is that of an agent whose events are flat, as those of pi and Gemini are.
func (w *wire) event() Event {
	m := &w.Message
	e := Event{
		Type: w.Type, Subtype: w.Subtype, Role: cmp.Or(m.Role, w.Role), Time: w.Timestamp.Time,
		Tool:   cmp.Or(w.ToolName, w.ToolNameSnake, string(w.Tool), w.Name, m.ToolName),
		CallID: cmp.Or(w.ToolCallID, w.ToolUseID, w.ToolID, m.ToolCallID),
		Input:  firstOf(w.Args, w.Arguments, w.Input, w.Parameters),
		Delta:  w.Delta.text,
		Text: cmp.Or(w.Result.text, w.Output.text, m.text(), w.Content.text, string(w.Text), w.Error.text, w.ErrorMessage,
			w.FinalError, m.ErrorMessage),
		Data: boundedData(w.Result.data, w.Output.data, w.Data, w.Details),
	}
	if w.Delta.piece { // Gemini's: the text beside it is a piece
		e.Delta, e.Text = e.Text, ""
	}
	e.Failed = w.IsError || w.IsErrorSnake || w.Status == "error" || w.Status == "failed" || w.Error.text != "" ||
		string(w.Success) == "false" || m.StopReason == "error" || m.StopReason == "aborted"
	return e
}

// blocks are the events of a message of Claude Code, one a block.
func (w *wire) blocks() []Event {
	m := &w.Message
	failed := w.Error.text != "" || m.Model == "<synthetic>"
	var events []Event
	for _, b := range m.Content {
		e := Event{
			Type: w.Type, Subtype: b.Type, Role: cmp.Or(m.Role, w.Type), Time: w.Timestamp.Time, Tool: b.Name,
			CallID: cmp.Or(b.ID, b.ToolUseID), Input: firstOf(b.Input), Text: cmp.Or(b.Text, b.Content.text), Failed: b.IsError || failed,
		}
		if len(m.Content) == 1 && b.Type == "tool_result" {
			e.Data = boundedData(w.ToolUseResult)
		}
		events = append(events, e)
	}
	if len(events) == 0 {
		events = []Event{{Type: w.Type, Role: cmp.Or(m.Role, w.Type), Failed: failed, Time: w.Timestamp.Time}}
	}
	return events
}

// item is the event of an item of Codex.
func (w *wire) item() Event {
	i := w.Item
	e := Event{
		Type: w.Type, Subtype: i.Type, CallID: i.ID, Input: cmp.Or(i.Command, firstOf(i.Arguments)), Time: w.Timestamp.Time,
		Text: cmp.Or(i.Text, i.Message, i.AggregatedOutput, i.Result.text, i.Error.text), Data: boundedData(i.Result.data),
	}
	switch i.Type {
	case "agent_message", "reasoning", "todo_list":
	case "error":
		e.Failed = true
	default:
		e.Tool = cmp.Or(string(i.Tool), i.Type)
		e.Failed = i.Status == "failed" || i.Status == "declined" || i.Error.text != "" || (i.ExitCode != nil && *i.ExitCode != 0)
	}
	return e
}

// part is the event of a part of OpenCode.
func (w *wire) part() Event {
	p := w.Part
	s := &p.State
	return Event{
		Type: w.Type, Subtype: cmp.Or(s.Status, p.Reason), Tool: string(p.Tool), CallID: p.CallID, Input: firstOf(s.Input), Time: w.Timestamp.Time,
		Text: cmp.Or(p.Text, s.Output.text, s.Error.text), Data: boundedData(s.Output.data, s.Metadata),
		Failed: s.Status == "error" || s.Error.text != "" || (s.exit().Exit != nil && *s.exit().Exit != 0),
	}
}

func firstOf(raws ...json.RawMessage) string {
	for _, raw := range raws {
		if len(raw) > 0 && string(raw) != "null" {
			return string(raw)
		}
	}
	return ""
}

// boundedData is the first of them that is an object and not larger than is looked at.
func boundedData(raws ...json.RawMessage) json.RawMessage {
	for _, raw := range raws {
		if len(raw) > 0 && len(raw) <= maxData && raw[0] == '{' {
			return raw
		}
	}
	return nil
}

// decodeUpdate reads pi's message_update up to its new piece of text. The whole message so far follows it, twice; that is not looked at, so that
// the cost of a long answer does not grow with its square.
func decodeUpdate(line []byte) Event {
	var u update
	walk(json.NewDecoder(bytes.NewReader(line)), func(key string, value *json.Decoder) bool {
		if key != "assistantMessageEvent" {
			return skip(value)
		}
		walk(value, func(key string, value *json.Decoder) bool {
			switch key {
			case "type":
				return value.Decode(&u.Type) == nil
			case "delta":
				_ = value.Decode(&u.Delta) // it stays empty
				return false
			case "partial", "toolCall", "content":
				return false
			default:
				return skip(value)
			}
		})
		return false
	})
	return u.event()
}

// event is that of a message_update. Pieces of thoughts and of a tool's arguments are not what the agent says.
func (u update) event() Event {
	e := Event{Type: typeMessageUpdate, Subtype: u.Type}
	if u.Type == "text_delta" {
		e.Delta = u.Delta
	}
	return e
}

// typeOf reads the type of an event off the beginning of its line.
func typeOf(line []byte) (kind string) {
	walk(json.NewDecoder(bytes.NewReader(line)), func(key string, value *json.Decoder) bool {
		if key != "type" {
			return skip(value)
		}
		_ = value.Decode(&kind) // it stays empty
		return false
	})
	return kind
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
