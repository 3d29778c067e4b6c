package pi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

// The categories of progress that a stream is normalised to.
const (
	categorySession    = "session"
	categoryMessage    = "message"
	categoryToolCall   = "tool_call"
	categoryToolResult = "tool_result"
	categoryError      = "error"
)

const (
	// maxArgument bounds how much of a tool's argument progress shows.
	maxArgument = 256
	// maxLastLine bounds what a message says of a tool's output.
	maxLastLine = 512
	// maxEnd is how much of the end of a line that is too long is looked at: what the request took stands there.
	maxEnd = 4 << 10
)

// listener is told what pi does while it runs.
type listener interface {
	Progress(p sdk.Progress)
	Resume(data json.RawMessage) error
}

// stream reads what pi prints in JSON mode. It touches nothing but the listener, holds at most one line up to maxLine, the end of one that is longer and the
// text of the newest message, and says the same however the bytes are cut into writes. It never fails.
type stream struct {
	maxLine int
	to      listener
	clean   *redact.Redactor // of what is cut; nil: nothing is redacted

	line     []byte
	skipping bool   // the rest of a line that is longer than maxLine
	rest     []byte // the end of that rest: maxEnd of it, and at most half as much again

	session string
	last    *message // the newest answer of the model in this run; nil when there is none yet
	tooLong bool     // the newest answer's line was longer than maxLine
	begun   bool     // a run has
	ended   bool     // the run has ended, and no other one has begun
	gaveUp  string   // why pi stopped trying, if it did
	metrics sdk.Metrics
	learned *transcript.Collector // what tools and model said of gates, lessons and episodes
}

func newStream(maxLine int, to listener, clean *redact.Redactor) *stream {
	return &stream{maxLine: maxLine, to: to, clean: clean, learned: transcript.NewCollector("", transcript.Careful())}
}

// Write takes the next bytes of stdout.
func (s *stream) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			s.add(p)
			break
		}
		s.add(p[:end])
		s.endLine()
		p = p[end+1:]
	}
	return n, nil
}

// Close takes the end of stdout: a last line without a newline is a line like any other.
func (s *stream) Close() error {
	s.endLine()
	s.line, s.rest = nil, nil
	return nil
}

func (s *stream) add(p []byte) {
	room := s.maxLine - len(s.line)
	if len(p) > room {
		s.skipping = true
		s.skip(p[room:])
		p = p[:room]
	}
	s.line = append(s.line, p...)
}

// skip keeps the end of what is no longer held of a line.
func (s *stream) skip(p []byte) {
	s.rest = append(s.rest, p[max(0, len(p)-maxEnd):]...)
	if over := len(s.rest) - maxEnd; over > maxEnd/2 {
		s.rest = append(s.rest[:0], s.rest[over:]...)
	}
}

// end is the end of the line, at most maxEnd bytes.
func (s *stream) end() []byte {
	held := s.line[max(0, len(s.line)-maxEnd):]
	end := append(bytes.Clone(held), s.rest...)
	return end[max(0, len(end)-maxEnd):]
}

// endLine takes the line that has just ended.
func (s *stream) endLine() {
	kind := typeOf(s.line)
	switch {
	case kind == eventUpdate:
		if delta := textDelta(s.line); delta != "" {
			s.show(sdk.OutputFrame{Delta: delta})
			s.to.Progress(sdk.Progress{Category: categoryMessage, Phase: "Processing", Delta: delta})
		}
	case s.skipping:
		s.cut(kind)
	case kind == eventAgentEnd:
		s.ended = s.ended || json.Valid(s.line) // it repeats every message of the run: nothing of it is kept
	case kind != "":
		var e event
		if json.Unmarshal(s.line, &e) == nil {
			s.take(kind, e)
		}
	}
	s.line, s.skipping, s.rest = s.line[:0], false, s.rest[:0]
}

// cut takes a line that is longer than may be held: only its head and its end are known.
func (s *stream) cut(kind string) {
	switch kind {
	case eventAgentEnd:
		s.ended = true
	case eventMessageEnd:
		if bytes.HasPrefix(s.line, []byte(`{"type":"message_end","message":{"role":"assistant"`)) {
			s.last, s.tooLong = nil, true
			s.count(usageAtEnd(s.end()))
		}
	}
}

func (s *stream) take(kind string, e event) {
	switch kind {
	case eventSession:
		s.takeSession(e.ID)
	case eventAgentStart:
		s.begun, s.last, s.tooLong, s.ended, s.gaveUp = true, nil, false, false, ""
	case eventTurnStart:
		s.to.Progress(sdk.Progress{Category: categorySession, Phase: "Thinking"})
	case eventMessageEnd:
		if e.Message != nil && e.Message.Role == roleAssistant {
			s.takeAnswer(e.Message)
		}
	case eventToolStart:
		argument := s.argument(e.Args)
		s.show(sdk.OutputFrame{Tool: strings.TrimSpace(e.ToolName + " " + argument)})
		s.to.Progress(sdk.Progress{
			Category: categoryToolCall, Phase: "Calling " + e.ToolName, Tool: e.ToolName, Message: argument, Delta: argument,
		})
	case eventToolEnd:
		p := sdk.Progress{Category: categoryToolResult, Phase: "Result from " + e.ToolName, Tool: e.ToolName}
		if e.IsError {
			p.Message = "failed: " + s.lastLine(e.Result.text())
		}
		s.to.Progress(p)
		s.learn(transcript.Event{Type: kind, Tool: e.ToolName, Text: e.Result.text(), Data: e.Result.Details, Failed: e.IsError})
	case eventRetryStart:
		s.ended = false
		s.to.Progress(sdk.Progress{Category: categoryError, Phase: "Retrying", Message: fmt.Sprintf("retry %d of %d in %s: %s",
			e.Attempt, e.MaxAttempts, time.Duration(min(max(e.DelayMs, 0), sdk.MaxTimeoutMs))*time.Millisecond, e.ErrorMessage)})
	case eventRetryEnd:
		if !e.Success {
			s.gaveUp = e.FinalError
		}
	}
}

// show gives what pi says to whoever follows the task.
func (s *stream) show(f sdk.OutputFrame) {
	if live, ok := s.to.(sdk.Output); ok {
		live.Output(f)
	}
}

// takeSession keeps the conversation's id for the next attempt.
func (s *stream) takeSession(id string) {
	if s.session != "" || !validSession(id) {
		return
	}
	s.session = id
	if data, err := json.Marshal(resume{Session: id}); err == nil {
		_ = s.to.Resume(data) // it is small and JSON: there is nothing to refuse
	}
	s.to.Progress(sdk.Progress{Category: categorySession, Phase: "Started"})
}

// takeAnswer takes a complete answer of the model: what it took, and how it ended.
func (s *stream) takeAnswer(m *message) {
	s.last, s.tooLong = m, false
	s.count(m.Usage)
	if text := m.text(); text != "" {
		s.to.Progress(sdk.Progress{Category: categoryMessage, Phase: "Processing", Message: text})
		s.learn(transcript.Event{Type: eventMessageEnd, Role: m.Role, Text: text, Failed: m.StopReason == stopReasonError})
	}
}

// learn keeps what an event says of gates, lessons and episodes. Its secrets go first: what is kept is cut.
func (s *stream) learn(e transcript.Event) {
	e.Text, e.Data = s.clean.String(e.Text), s.clean.JSON(e.Data)
	s.learned.Add(e)
}

// count adds what a request to the model took, if it is known.
func (s *stream) count(u *usage) {
	if u == nil {
		return
	}
	s.metrics = s.metrics.Plus(u.metrics())
	if meter, ok := s.to.(sdk.Meter); ok {
		meter.Spent(s.metrics)
	}
}

// argument is what a tool is called with, in one short line: its path or its command.
func (s *stream) argument(args json.RawMessage) string {
	var known struct {
		Path    string `json:"path"`
		Command string `json:"command"`
	}
	if json.Unmarshal(args, &known) != nil {
		return ""
	}
	if known.Path == "" {
		known.Path = known.Command
	}
	line, _, _ := strings.Cut(known.Path, "\n")
	return strings.ToValidUTF8(sdk.Cut(s.clean.Part(known.Path, 0, min(len(line), maxArgument)), maxArgument), "")
}

// lastLine is the last line of text that says anything, at most maxLastLine bytes of it. Of one that is cut the first word is whole.
func (s *stream) lastLine(text string) string {
	text = strings.TrimSpace(text)
	from := strings.LastIndexAny(text, "\r\n") + 1
	cut := max(from, len(text)-maxLastLine)
	line := s.clean.Part(text, cut, len(text))
	if over := len(line) - maxLastLine; over > 0 || cut > from {
		line = line[max(0, over):]
		line = line[max(0, strings.IndexFunc(line, unicode.IsSpace)):]
	}
	return strings.ToValidUTF8(line, "")
}
