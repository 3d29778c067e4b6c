package transcript

import "strings"

// Progress is how far the work is by one event. Percentage is by the event's category alone, so that it goes back with every further call of a tool.
type Progress struct {
	Phase      string  `json:"phase"`
	Percentage float64 `json:"percentage"`
	Delta      string  `json:"delta,omitempty"`
	// Overall is the highest percentage so far: it never goes back. Only a careful event transformer sets it.
	Overall float64 `json:"overall,omitempty"`
}

// ExtractProgress says how far the work is by an event; ok is false for an event of another category than these:
//
//	tool_call    Calling {tool}      25   the delta is its own, else what the tool is called with
//	message      Processing          50   the delta is its own
//	tool_result  Result from {tool}  75
//
// A tool without a name is "tool". With [Careful] the delta has at most 4 KiB.
func ExtractProgress(e Event, opts ...Option) (p Progress, ok bool) {
	o := with(opts)
	return o.progress(e, o.category(e))
}

func (o options) progress(e Event, c Category) (p Progress, ok bool) {
	tool := e.Tool
	if tool == "" {
		tool = "tool"
	}
	p.Delta = e.Delta
	switch c {
	case CategoryToolCall:
		p.Phase, p.Percentage = "Calling "+tool, 25
		if p.Delta == "" {
			p.Delta = e.Input
		}
	case CategoryMessage:
		p.Phase, p.Percentage = "Processing", 50
	case CategoryToolResult:
		p.Phase, p.Percentage = "Result from "+tool, 75
	default:
		return Progress{}, false
	}
	if o.careful {
		p.Delta = strings.ToValidUTF8(cut(p.Delta, maxDelta), "\uFFFD")
	}
	return p, true
}
