package sdk

import (
	"bytes"
	"encoding/json"
	"strings"
)

// SessionPrompt is the input of a session's task: what an agent is to be told, ready to be given to it.
type SessionPrompt struct {
	Prompt string `json:"prompt" doc:"The whole text: who the agent is, what is to be done, and what was known before."`
	Tool   string `json:"tool,omitempty" doc:"The tool that is made for such a task, for an agent that has it."`
}

// Text is the prompt for an agent that has the given tools: where the one that is made for the task is among them, the second line names it.
func (p SessionPrompt) Text(tools ...string) string {
	for _, tool := range tools {
		if tool != "" && tool == p.Tool {
			first, rest, more := strings.Cut(p.Prompt, "\n")
			text := first + "\n" + ToolLine(tool)
			if more {
				text += "\n" + rest
			}
			return text
		}
	}
	return p.Prompt
}

// SessionPrompt is what the agent of the task is to be told, where the task's input is that and nothing else: {"prompt": text}, with or without a
// tool, as a session writes it. A task that is made anew from one of a session's has it, too. ok is false for an input of another shape, and for a
// task with a description, which the prompt does not have.
func (t *Task) SessionPrompt() (p SessionPrompt, ok bool) {
	in := json.NewDecoder(bytes.NewReader(t.Input))
	in.DisallowUnknownFields()
	if t.Description != "" || in.Decode(&p) != nil || p.Prompt == "" {
		return SessionPrompt{}, false
	}
	return p, true
}

// ToolLine is what an agent is told of the tool that is made for its task.
func ToolLine(tool string) string { return "Use the " + tool + " tool for this task." }

// Tool is the name of the tool that is made for a task of this type; "" for a type that is not one of a session's five.
func (t TaskType) Tool() string {
	switch t {
	case TypeAnalyze:
		return "nity_analyze"
	case TypeExecute:
		return "nity_execute"
	case TypeValidate:
		return "nity_quality_gate"
	case TypeReflect:
		return "nity_reflect"
	case TypeSkills:
		return "nity_skills"
	default:
		return ""
	}
}
