// Package modelserver is a scripted model: a server that speaks the OpenAI chat completions protocol and answers what it was told
// to, so that coding agents run for real without a model, a key or the internet.
package modelserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Script is what the model answers: to the first request the first answer, and to every one after the last the last again.
type Script []Answer

// Models are the scripts of models by their names; that of "" is for every other name. A name that is not there is answered with 404. Each
// model counts its own requests.
type Models map[string]Script

// Answer is one answer of the model. An answer with a Status is an error; all other fields but RetryAfter and Text, which is then
// the error's message, mean nothing in it.
type Answer struct {
	// Text is what the model says; streamed word by word.
	Text string
	// Tools are what it calls after that.
	Tools []Tool
	// Status is an HTTP status of 400 or more, or 0.
	Status int
	// RetryAfter is the header of that name, in whole seconds. Default 0: none.
	RetryAfter time.Duration
	// Pause is the time before each piece of a stream, and before an answer that is no stream.
	Pause time.Duration
	// Hang keeps the answer from ending, once all of it is said, until the client goes.
	Hang bool
	// Cut breaks the connection off after the first piece of a stream.
	Cut bool
	// Finish is why the answer ends, such as length. Default: tool_calls with Tools, else stop.
	Finish string
	// Input, Cached and Output are the tokens it says it took; Input is with Cached.
	Input, Cached, Output int
}

// Tool is a call of a tool by the model.
type Tool struct {
	Name      string
	Arguments map[string]any
}

const (
	maxAnswers = 1000 // of a script
	maxModels  = 100
)

// check answers what is wrong with the scripts.
func (m Models) check() error {
	if len(m) == 0 || len(m) > maxModels {
		return fmt.Errorf("there are from 1 to %d models, not %d", maxModels, len(m))
	}
	for name, script := range m {
		if err := script.check(); err != nil {
			return fmt.Errorf("the model %q: %w", name, err)
		}
	}
	return nil
}

// check answers what is wrong with a script.
func (s Script) check() error {
	if len(s) == 0 || len(s) > maxAnswers {
		return fmt.Errorf("a script has from 1 to %d answers, not %d", maxAnswers, len(s))
	}
	for i, a := range s {
		if a.Status != 0 && (a.Status < http.StatusBadRequest || a.Status > 599) {
			return fmt.Errorf("answer %d: the status %d is none of an error", i+1, a.Status)
		}
		for _, t := range a.Tools {
			if t.Name == "" {
				return fmt.Errorf("answer %d: a tool needs a name", i+1)
			}
			if _, err := json.Marshal(t.Arguments); err != nil {
				return fmt.Errorf("answer %d: the arguments of %s: %w", i+1, t.Name, err)
			}
		}
	}
	return nil
}

// pieces are the text as it is streamed.
func (a Answer) pieces() []string {
	if a.Text == "" {
		return nil
	}
	return strings.SplitAfter(a.Text, " ")
}

// finish is why the answer ends.
func (a Answer) finish() string {
	if a.Finish != "" {
		return a.Finish
	}
	if len(a.Tools) > 0 {
		return "tool_calls"
	}
	return "stop"
}
