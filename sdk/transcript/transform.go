package transcript

import "strings"

// TypeTaskProgress is the type of every [TaskEvent].
const TypeTaskProgress = "task_progress"

// TaskEvent is what a listener gets of a raw event.
type TaskEvent struct {
	Type      string       `json:"type"`
	Timestamp int64        `json:"timestamp"` // milliseconds since the epoch
	Payload   TaskProgress `json:"payload"`
}

// TaskProgress is the payload of a [TaskEvent].
type TaskProgress struct {
	TaskType string    `json:"taskType"`
	Category Category  `json:"category"`
	Tool     string    `json:"tool,omitempty"`
	Message  string    `json:"message,omitempty"`
	Progress *Progress `json:"progress,omitempty"`
}

// NewEventTransformer makes a function that turns the raw events of one task's stream, in their order, into events for listeners. ok is false for
// an event that is unknown. The message is the text of a message or an error; there is a progress where [ExtractProgress] finds one. An error of an
// agent is progress like any other event, because most agents try again: how a task ends is for its caller to say. The timestamp is that
// of the [Clock].
//
// With [Careful] the result of a tool has the name of the tool that was called, where its own event lacks it; the progress has an overall
// figure that never goes back; the timestamp is the event's own where it has one; a message has at most 1 KiB. The function is not safe for
// concurrent use.
func NewEventTransformer(taskType string, opts ...Option) func(e Event) (event TaskEvent, ok bool) {
	o := with(opts)
	var called calls
	var overall float64
	return func(e Event) (TaskEvent, bool) {
		c := o.category(e)
		if c == CategoryUnknown {
			return TaskEvent{}, false
		}
		at := o.now()
		if o.careful {
			e.Tool = called.tool(e, c)
			if !e.Time.IsZero() {
				at = e.Time
			}
		}
		out := TaskEvent{Type: TypeTaskProgress, Timestamp: at.UnixMilli(), Payload: TaskProgress{TaskType: taskType, Category: c, Tool: e.Tool}}
		if c == CategoryError || c == CategoryMessage {
			out.Payload.Message = o.shown(e.Text)
		}
		if p, ok := o.progress(e, c); ok {
			if o.careful {
				overall = max(overall, p.Percentage)
				p.Overall = overall
			}
			out.Payload.Progress = &p
		}
		return out, true
	}
}

func (o options) shown(text string) string {
	if !o.careful {
		return text
	}
	return strings.ToValidUTF8(cut(text, maxShown), "\uFFFD")
}

// maxCalls bounds how many calls without a result are remembered; a stream with more begins anew.
const maxCalls = 1000

// calls remembers the names of the tools that were called and have not answered.
type calls struct{ names map[string]string }

// tool is the name of an event's tool: its own, or that of the call that it answers.
func (s *calls) tool(e Event, c Category) string {
	switch {
	case e.CallID == "":
		return e.Tool
	case c == CategoryToolCall && e.Tool != "":
		if s.names == nil || len(s.names) >= maxCalls {
			s.names = map[string]string{}
		}
		s.names[e.CallID] = e.Tool
		return e.Tool
	case c == CategoryToolResult || c == CategoryToolCall:
		name := e.Tool
		if name == "" {
			name = s.names[e.CallID]
		}
		if c == CategoryToolResult {
			delete(s.names, e.CallID)
		}
		return name
	default:
		return e.Tool
	}
}
