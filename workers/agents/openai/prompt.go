package openai

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// prompt says to the model what the task is. A session has written its own; no tool is named in it, since the model has none.
func prompt(a *sdk.Assignment) string {
	var b strings.Builder
	if p, ok := a.Task.SessionPrompt(); ok {
		b.WriteString(p.Text() + "\n")
	} else {
		describe(&b, &a.Task)
	}
	for _, answer := range a.Answers {
		fmt.Fprintf(&b, "\n## Answer to: %s\n\n%s\n", answer.Prompt, plain(answer.Answer))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func describe(b *strings.Builder, t *sdk.Task) {
	fmt.Fprintf(b, "You are the %s%s. What you answer is the result of this task, of the type %s.\n\n# %s\n", t.Role, does(t.Role), t.Type, t.Title)
	if t.Description != "" {
		fmt.Fprintf(b, "\n%s\n", t.Description)
	}
	if len(t.Input) > 0 && string(t.Input) != "null" {
		b.WriteString("\n## Input\n\n" + plain(t.Input) + "\n")
	}
}

// does is what one of a built-in role does.
func does(role sdk.Role) string {
	for _, info := range sdk.BuiltinRoles() {
		if info.Role == role {
			return ", the one who " + info.Description
		}
	}
	return ""
}

// plain is a JSON string as its text, and any other value as it is.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}
