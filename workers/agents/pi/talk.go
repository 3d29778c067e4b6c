package pi

import (
	"bytes"
	"encoding/json"
	"fmt"

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
	model, err := d.config.model(a.Model)
	if err != nil {
		return nil, err
	}
	earlier := sessionFile(d.config.SessionDir, a.Resume)
	return &talk{
		stream: newStream(d.maxLine, r, d.clean), args: d.args(model, earlier), prompt: prompt(a, d.config.Tools, earlier != ""),
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

// prompt says to pi what the task is. A session has written its own, in which the tool that is made for the task is named where pi has it.
func prompt(a *sdk.Assignment, tools []string, goesOn bool) []byte {
	var b bytes.Buffer
	if goesOn {
		b.WriteString("Your work on this task was interrupted. Look at what is there, and go on where you stopped. The task again:\n\n")
	}
	if p, ok := a.Task.SessionPrompt(); ok {
		b.WriteString(p.Text(tools...) + "\n")
	} else {
		describe(&b, &a.Task)
	}
	for _, answer := range a.Answers {
		fmt.Fprintf(&b, "\n## Answer to: %s\n\n%s\n", answer.Prompt, plain(answer.Answer))
	}
	return b.Bytes()
}

func describe(b *bytes.Buffer, t *sdk.Task) {
	fmt.Fprintf(b, "# %s\n", t.Title)
	if t.Description != "" {
		fmt.Fprintf(b, "\n%s\n", t.Description)
	}
	if len(t.Input) > 0 && string(t.Input) != "null" {
		b.WriteString("\n## Input\n\n" + plain(t.Input) + "\n")
	}
}

// plain is a JSON string as its text, and any other value as it is.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}
