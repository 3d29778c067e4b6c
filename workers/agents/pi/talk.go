package pi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workers/agents/command"
)

// dialect speaks to pi in JSON mode.
type dialect struct {
	config  Config
	maxLine int
	clean   *redact.Redactor
}

// Talk implements command.Dialect.
func (d dialect) Talk(a *sdk.Assignment, r sdk.Reporter) (command.Talk, error) {
	model := a.Model
	if model == "" {
		model = d.config.Model
	}
	if strings.HasPrefix(model, "-") {
		return nil, sdk.Final("", fmt.Errorf("%q is no model's name: it begins with a dash", model))
	}
	earlier := sessionFile(d.config.SessionDir, a.Resume)
	return &talk{
		stream: newStream(d.maxLine, r, d.clean), args: d.args(model, earlier), prompt: prompt(&a.Task, a.Answers, earlier != ""),
	}, nil
}

func (d dialect) args(model, earlier string) []string {
	args := []string{"--mode", "json", "--session-dir", d.config.SessionDir}
	for _, option := range [][2]string{{"--provider", d.config.Provider}, {"--model", model}, {"--fork", earlier}} {
		if option[1] != "" {
			args = append(args, option[0], option[1])
		}
	}
	return append(append(args, d.config.Args...), "-p")
}

// talk is one attempt with pi.
type talk struct {
	*stream
	args   []string
	prompt []byte
}

// Args implements command.Talk.
func (t *talk) Args() []string { return t.args }

// Input implements command.Talk. A prompt on stdin may be as long as a task, is nothing that pi could take for an option or a
// file, and is not seen in the list of processes.
func (t *talk) Input() []byte { return t.prompt }

// prompt says to pi what the task is.
func prompt(t *sdk.Task, answers []sdk.Answer, goesOn bool) []byte {
	var b bytes.Buffer
	if goesOn {
		b.WriteString("Your work on this task was interrupted. Look at what is there, and go on where you stopped. The task again:\n\n")
	}
	fmt.Fprintf(&b, "# %s\n", t.Title)
	if t.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", t.Description)
	}
	if len(t.Input) > 0 && string(t.Input) != "null" {
		b.WriteString("\n## Input\n\n" + plain(t.Input) + "\n")
	}
	for _, a := range answers {
		fmt.Fprintf(&b, "\n## Answer to: %s\n\n%s\n", a.Prompt, plain(a.Answer))
	}
	return b.Bytes()
}

// plain is a JSON string as its text, and any other value as it is.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}
