package transcript

// The types of events by which agents are told apart here.
const (
	typeMessageUpdate = "message_update" // pi
	typeMessageEnd    = "message_end"    // pi
	typeResult        = "result"         // Claude Code, Gemini
	typeUser          = "user"           // Claude Code
	typeAssistant     = "assistant"      // Claude Code
)

// byAgent is the category of an event of a known agent, or "". What is said to the agent is the session's, and so is what a stream
// repeats of its own events.
func byAgent(e Event) Category {
	for _, agent := range []func(Event) Category{byPi, byClaude, byCodex, byGeminiOrOpenCode} {
		if c := agent(e); c != "" {
			return c
		}
	}
	return ""
}

func byPi(e Event) Category {
	switch e.Type {
	case "session", "agent_start", "agent_end", "agent_settled", "turn_start", "turn_end", "queue_update",
		"compaction_start", "compaction_end", "auto_compaction_start", "auto_compaction_end":
		return CategorySession
	case "message_start", typeMessageUpdate, typeMessageEnd:
		switch {
		case e.Role == roleUser, e.Role == roleToolResult:
			return CategorySession
		case e.Failed && e.Type == typeMessageEnd:
			return CategoryError
		default:
			return CategoryMessage
		}
	case "tool_execution_start", "tool_execution_update":
		return CategoryToolCall
	case "tool_execution_end":
		return CategoryToolResult
	case "auto_retry_start", "extension_error":
		return CategoryError
	case "auto_retry_end", "response":
		return orError(e, CategorySession)
	default:
		return ""
	}
}

func byClaude(e Event) Category {
	switch e.Type {
	case "system":
		if e.Subtype == "api_retry" || e.Subtype == "permission_denied" {
			return CategoryError
		}
		return CategorySession
	case typeAssistant:
		if e.Subtype == "tool_use" || e.Subtype == "server_tool_use" {
			return CategoryToolCall
		}
		return orError(e, CategoryMessage)
	case typeUser:
		if e.Subtype == "tool_result" {
			return CategoryToolResult
		}
		return CategorySession
	case "stream_event":
		return CategoryMessage
	case typeResult:
		return orError(e, CategorySession)
	case "control_request", "control_response", "rate_limit_event":
		return CategorySession
	default:
		return ""
	}
}

func byCodex(e Event) Category {
	switch e.Type {
	case "thread.started", "turn.started", "turn.completed":
		return CategorySession
	case "turn.failed":
		return CategoryError
	case "item.started", "item.updated", "item.completed":
	default:
		return ""
	}
	switch e.Subtype {
	case "agent_message", "reasoning":
		return CategoryMessage
	case "error":
		return CategoryError
	case "todo_list", "plan":
		return CategorySession
	default:
		if e.Type == "item.completed" {
			return CategoryToolResult
		}
		return CategoryToolCall
	}
}

// byGeminiOrOpenCode knows that OpenCode's tool_use comes when the tool has ended, and says how, while Gemini's comes when it is called.
func byGeminiOrOpenCode(e Event) Category {
	switch e.Type {
	case "init", "step_start", "step_finish", "done":
		return CategorySession
	case "message":
		if e.Role == roleUser {
			return CategorySession
		}
		return CategoryMessage
	case "text", "reasoning":
		return CategoryMessage
	case "tool_use":
		if e.Subtype == "" {
			return CategoryToolCall
		}
		return CategoryToolResult
	case "tool_result":
		return CategoryToolResult
	case "error":
		return CategoryError
	default:
		return ""
	}
}

func orError(e Event, c Category) Category {
	if e.Failed {
		return CategoryError
	}
	return c
}

// spoken reports whether an event is a complete text that the agent says, and does not only think.
func spoken(e Event, c Category) bool {
	return c == CategoryMessage && (e.Text != "" || len(e.Data) > 0) && !e.Failed && e.Role != roleUser && e.Role != roleToolResult &&
		e.Type != "reasoning" && e.Subtype != "reasoning" && e.Subtype != "thinking" && e.Subtype != "redacted_thinking"
}
