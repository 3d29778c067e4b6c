package transcript

import (
	"encoding/json"
	"time"
)

// Event is one raw event of an agent's stream: the fields that mean something here, whichever agent wrote it. [Decode] makes events of a
// line; a caller may make one by hand, of Type and what else there is.
type Event struct {
	// Type is the agent's own name of it, such as tool_execution_start.
	Type string
	// Subtype tells events of one type apart: the subtype of Claude Code's system and result, the kind of block in its messages, the kind
	// of Codex's item, how a tool of OpenCode ended, the kind of pi's message_update.
	Subtype string
	// Role is whose message it is: assistant, user, toolResult or [RoleProgram]. Default "": the agent's.
	Role string
	// Tool is the name of the tool that is called or has answered.
	Tool string
	// CallID is the same for a tool's call and its result.
	CallID string
	// Input is what a tool is called with, as JSON where the agent writes it so.
	Input string
	// Delta is a new piece of a text that is not complete yet.
	Delta string
	// Text is a complete text: a message, the output of a tool, an error.
	Text string
	// Data is what a tool answered as JSON beside its text, at most 64 KiB. Default nil: nothing.
	Data json.RawMessage
	// Failed says that it tells of a failure: of a tool, of a request to the model, or of the run.
	Failed bool
	// Cut says that the line was longer than is read: only its type is known.
	Cut bool
	// Time is when it happened, where the agent says so.
	Time time.Time
}

// Category is what kind of thing an event is.
type Category string

// The categories, in the order in which the keyword rules are tried.
const (
	CategoryToolCall   Category = "tool_call"
	CategoryToolResult Category = "tool_result"
	CategoryMessage    Category = "message"
	CategoryError      Category = "error"
	CategorySession    Category = "session"
	CategoryUnknown    Category = "unknown"
)

// RoleProgram is the role of a text that a program has printed, and no model has written: [ExtractReflection] takes no bare list in it for lessons.
const RoleProgram = "program"

const (
	roleUser       = "user"
	roleToolResult = "toolResult"
)

const (
	// maxData bounds what is looked at of a structured answer.
	maxData = 64 << 10
	// maxAnswer bounds the answer that a [Collector] holds.
	maxAnswer = 1 << 20
	// maxItem bounds a lesson, a follow-up, and the words by which a gate has passed.
	maxItem = 500
	// maxItems bounds the lessons of one event and of a [Collector], and the follow-ups.
	maxItems = 50
	// maxRefs bounds the episodes of a [Collector].
	maxRefs = 100
	// maxShown bounds the message of a careful [TaskEvent], maxDelta its delta.
	maxShown, maxDelta = 1 << 10, 4 << 10
)

// cut is s, or as much of its beginning as fits into n bytes without half a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
