package sdk_test

import (
	"encoding/json"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestSessionPrompt: an input is told as it is where it is a prompt and nothing else, and nothing beside it would be lost.
func TestSessionPrompt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		task sdk.Task
		want string // "" is none
	}{
		"a session's":          {sdk.Task{SessionID: "s", Title: "x", Input: json.RawMessage(`{"prompt":"[Coder Mode]\n\nTask: x","tool":"nity_execute"}`)}, "[Coder Mode]\nUse the nity_execute tool for this task.\n\nTask: x"},
		"one line":             {sdk.Task{Input: json.RawMessage(`{"prompt":"p","tool":"nity_execute"}`)}, "p\nUse the nity_execute tool for this task."},
		"another tool":         {sdk.Task{Input: json.RawMessage(`{"prompt":"p","tool":"nity_reflect"}`)}, "p"},
		"no tool, made anew":   {sdk.Task{RetryOf: "t0", Input: json.RawMessage(`{"prompt":"p"}`)}, "p"},
		"beside a description": {sdk.Task{Description: "d", Input: json.RawMessage(`{"prompt":"p"}`)}, ""},
		"beside a file":        {sdk.Task{SessionID: "s", Input: json.RawMessage(`{"prompt":"p","file":"f"}`)}, ""},
		"empty":                {sdk.Task{SessionID: "s", Input: json.RawMessage(`{"prompt":""}`)}, ""},
		"no text":              {sdk.Task{SessionID: "s", Input: json.RawMessage(`{"prompt":7}`)}, ""},
		"a text":               {sdk.Task{SessionID: "s", Input: json.RawMessage(`"p"`)}, ""},
		"null":                 {sdk.Task{SessionID: "s", Input: json.RawMessage(`null`)}, ""},
		"no input":             {sdk.Task{SessionID: "s"}, ""},
	} {
		p, ok := tc.task.SessionPrompt()
		if got := p.Text("nity_execute"); ok != (tc.want != "") || got != tc.want {
			t.Errorf("%s: %q, %v; want %q", name, got, ok, tc.want)
		}
	}
}
