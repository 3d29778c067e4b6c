package transcript

import "strings"

// CategorizeEvent says what kind of thing an event is. The keyword rules look for parts of its type, in capitals or not, in the order of the categories:
//
//	tool_call    "tool" and "call"
//	tool_result  "tool" and "result"
//	message      "message" or "content"
//	error        "error" or "fail"
//	session      "session", "start" or "end"
//
// With [Careful] the events of the known agents are what they mean, and others are told by whole words of their type.
func CategorizeEvent(e Event, opts ...Option) Category { return with(opts).category(e) }

func (o options) category(e Event) Category {
	if !o.careful {
		return byKeyword(e.Type)
	}
	if c := byAgent(e); c != "" {
		return c
	}
	return byWord(e.Type)
}

func byKeyword(kind string) Category {
	kind = strings.ToLower(kind)
	has := func(part string) bool { return strings.Contains(kind, part) }
	switch {
	case has("tool") && has("call"):
		return CategoryToolCall
	case has("tool") && has("result"):
		return CategoryToolResult
	case has("message") || has("content"):
		return CategoryMessage
	case has("error") || has("fail"):
		return CategoryError
	case has("session") || has("start") || has("end"):
		return CategorySession
	default:
		return CategoryUnknown
	}
}

// byWord tells the kind of an event by the whole words of its type: pending and send do not end anything.
func byWord(kind string) Category {
	words := map[string]bool{}
	for _, w := range wordsOfName(kind) {
		words[w] = true
	}
	has := func(list ...string) bool {
		for _, w := range list {
			if words[w] {
				return true
			}
		}
		return false
	}
	tool := has("tool", "function", "toolcall", "tooluse")
	switch {
	case (tool && has("result", "output", "response")) || has("toolresult"):
		return CategoryToolResult
	case (tool && has("call", "use", "start", "started", "begin", "request", "invocation")) || has("toolcall", "tooluse"):
		return CategoryToolCall
	case tool && has("end", "ended", "done", "completed", "finished"):
		return CategoryToolResult
	case has("message", "content", "text"):
		return CategoryMessage
	case has("error", "errors", "fail", "failed", "failure", "retry"):
		return CategoryError
	case has("session", "start", "started", "end", "ended", "init", "done"):
		return CategorySession
	default:
		return CategoryUnknown
	}
}

// wordsOfName splits a name such as toolCall, tool_call or tool.call into its words in small letters; at most 64 bytes of it.
func wordsOfName(name string) (words []string) {
	name = cut(name, 64)
	from := 0
	flush := func(to int) {
		if to > from {
			words = append(words, strings.ToLower(name[from:to]))
		}
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z' && i > 0 && 'a' <= name[i-1] && name[i-1] <= 'z':
			flush(i)
			from = i
		case !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'):
			flush(i)
			from = i + 1
		}
	}
	flush(len(name))
	return words
}
