package modelserver

import (
	"encoding/json"
	"fmt"
)

// Request is what a client asked.
type Request struct {
	Model         string    `json:"model"`
	Messages      []Message `json:"messages"`
	Stream        bool      `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Key string `json:"-"` // the bearer token it came with
}

// Message is one message of a conversation. Content is a string or a list of parts.
type Message struct {
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	ToolCalls []toolCall      `json:"tool_calls"`
}

// Calls are the tools that the message calls, each as its name and arguments.
func (m Message) Calls() []string {
	var calls []string
	for _, c := range m.ToolCalls {
		calls = append(calls, c.Function.Name+" "+c.Function.Arguments)
	}
	return calls
}

// Text is what the message says.
func (m Message) Text() string {
	var text string
	if json.Unmarshal(m.Content, &text) == nil {
		return text
	}
	var parts []struct{ Text string }
	if json.Unmarshal(m.Content, &parts) == nil {
		for _, p := range parts {
			text += p.Text
		}
	}
	return text
}

// completion is an answer, or one piece of it in a stream.
type completion struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage,omitempty"`
}

type choice struct {
	Index        int     `json:"index"`
	Message      *said   `json:"message,omitempty"`
	Delta        *said   `json:"delta,omitempty"`
	FinishReason *string `json:"finish_reason"`
}

type said struct {
	Role      string     `json:"role,omitempty"`
	Content   string     `json:"content,omitempty"`
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
}

type toolCall struct {
	Index    int    `json:"index"`
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
	Details    struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
}

func (a Answer) usage() *usage {
	u := &usage{Prompt: a.Input, Completion: a.Output, Total: a.Input + a.Output}
	u.Details.Cached = a.Cached
	return u
}

// calls are the answer's tool calls; n makes their ids unique over the conversation.
func (a Answer) calls(n int) []toolCall {
	var all []toolCall
	for i, t := range a.Tools {
		c := toolCall{Index: i, ID: fmt.Sprintf("call_%d_%d", n, i), Type: "function"}
		raw, _ := json.Marshal(t.Arguments) // the script was checked
		c.Function.Name, c.Function.Arguments = t.Name, string(raw)
		all = append(all, c)
	}
	return all
}
