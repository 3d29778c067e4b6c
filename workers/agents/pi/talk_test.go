package pi

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestTheModelOfAStage: a tier's name is what the config calls it, and a provider's the config's own model.
func TestTheModelOfAStage(t *testing.T) {
	t.Parallel()
	c := Config{Provider: "anthropic", Model: "small", Providers: []string{"ollama"}, Models: map[string]string{"claude-sonnet-4": "claude-sonnet-4-5", "ollama/big": "qwen"}}
	for asked, want := range map[string]string{
		"": "small", "ollama": "small", "ollama/": "small", "anthropic": "small", "claude-sonnet-4": "claude-sonnet-4-5", "ollama/big": "qwen",
		"ollama/other": "ollama/other", "large": "large",
	} {
		if got, err := c.model(asked); err != nil || got != want {
			t.Errorf("%q is asked for as %q (%v), want %q", asked, got, err, want)
		}
	}
	for _, asked := range []string{"", "ollama"} {
		if got, err := (Config{Providers: []string{"ollama"}}).model(asked); err != nil || got != "" {
			t.Errorf("%q without a model of the config is asked for as %q (%v)", asked, got, err)
		}
	}
}

// TestPrompts: what is told of a session's task is the session's prompt, with a tool's line only where pi has that tool, also when it is made anew.
func TestPrompts(t *testing.T) {
	t.Parallel()
	const input = `{"prompt":"[Coder Mode]\n\nTask: x","tool":"nity_execute"}`
	answers := []sdk.Answer{{Prompt: "Which branch?", Answer: json.RawMessage(`"main"`)}}
	for name, tc := range map[string]struct {
		a      sdk.Assignment
		tools  []string
		goesOn bool
		want   string
	}{
		"of a session": {
			sdk.Assignment{Task: sdk.Task{SessionID: "s", Title: "x", Input: json.RawMessage(input)}}, []string{"nity_reflect"}, false, "[Coder Mode]\n\nTask: x\n",
		},
		"with its tool": {
			sdk.Assignment{Task: sdk.Task{SessionID: "s", Title: "x", Input: json.RawMessage(input)}}, []string{"nity_reflect", "nity_execute"}, false,
			"[Coder Mode]\nUse the nity_execute tool for this task.\n\nTask: x\n",
		},
		"made anew, going on, with an answer": {
			sdk.Assignment{Task: sdk.Task{RetryOf: "t0", Title: "x", Input: json.RawMessage(input)}, Answers: answers}, nil, true,
			"Your work on this task was interrupted. Look at what is there, and go on where you stopped. The task again:\n\n" +
				"[Coder Mode]\n\nTask: x\n\n## Answer to: Which branch?\n\nmain\n",
		},
		"a prompt beside more": {
			sdk.Assignment{Task: sdk.Task{Title: "x", Input: json.RawMessage(`{"prompt":"p","file":"f"}`)}}, nil, false, "# x\n\n## Input\n\n{\"prompt\":\"p\",\"file\":\"f\"}\n",
		},
		"a prompt beside a description": {
			sdk.Assignment{Task: sdk.Task{Title: "x", Description: "d", Input: json.RawMessage(`{"prompt":"p"}`)}}, nil, false, "# x\n\nd\n\n## Input\n\n{\"prompt\":\"p\"}\n",
		},
	} {
		if diff := cmp.Diff(tc.want, string(prompt(&tc.a, tc.tools, tc.goesOn))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
