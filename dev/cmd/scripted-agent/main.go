// Command scripted-agent is the agent of the end-to-end tests. A task's input is its script: for every attempt, by "stage.attempt"
// with "*" for the rest, a list of steps done in order. It speaks the protocol of the command adapter, and leaves facts that a test
// can wait for in the folder the script names.
//
//	{"dir": "/tmp/x", "attempts": {"0.1": ["pid", "tick", "progress:40", "hang"], "*": ["result:{\"ok\":true}"]}}
//
//	pid              write the process id to <dir>/<stage>.<attempt>.pid
//	key              write EVENTS_API_KEY to <dir>/<stage>.<attempt>.key, or "none"
//	stubborn         ignore SIGTERM from here on
//	child            start a child that ticks and obeys SIGTERM; its pid is in <stage>.<attempt>.child
//	child:stubborn   the same, ignoring SIGTERM
//	tick             append "<stage>.<attempt> <nanoseconds>" to <dir>/ticks every 20 ms in the background
//	resume:JSON      leave resume data
//	progress:N       report N per cent
//	report:JSON      report this progress
//	flood:MS         report progress every 10 ms for so many milliseconds
//	touch:NAME       create <dir>/NAME
//	effect:NAME      append "<task id> NAME" to <dir>/effects, as work outside would leave a trace
//	again:STEP       the step, where a gate of a plan has sent the task's work back
//	until:NAME       wait until <dir>/NAME exists
//	hang             wait until killed
//	ask:PROMPT|SCHEMA  ask for input (the schema may be left out) and end
//	fail:CODE:final|retryable  end with an error of that code
//	exit:N           exit with status N
//	result:JSON      end with this output
//	whole:JSON       end with this result
//	prompt           end with the prompt of a session's task as output
//	echo             end with {"resume": …, "answers": …, "attempt": …, "model": …} as output
//
// In a session the script stands in the prompt, after "script:", on that line.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rolecall-dev/rolecall/sdk"
)

type script struct {
	Dir      string              `json:"dir"`
	Attempts map[string][]string `json:"attempts"`
}

func main() {
	if len(os.Args) == 5 && os.Args[1] == "tick" {
		if os.Args[4] == "true" {
			signal.Ignore(syscall.SIGTERM)
		}
		tickForever(os.Args[2], os.Args[3])
	}
	var a sdk.Assignment
	var s script
	if err := json.NewDecoder(os.Stdin).Decode(&a); err != nil {
		die(64, "reading the assignment: %v", err)
	}
	if err := json.Unmarshal(scriptIn(a.Task.Input), &s); err != nil {
		die(65, "reading the script: %v", err)
	}
	name := fmt.Sprintf("%d.%d", a.Stage, a.Attempt)
	steps, ok := s.Attempts[name]
	if !ok {
		steps = s.Attempts["*"]
	}
	p := player{a: a, dir: s.Dir, name: name}
	for _, step := range steps {
		if err := p.play(step); err != nil {
			die(70, "%s: %v", step, err)
		}
	}
}

// scriptIn is the script in a task's input.
func scriptIn(input json.RawMessage) json.RawMessage {
	var session sdk.SessionPrompt
	if json.Unmarshal(input, &session) != nil {
		return input
	}
	_, script, found := strings.Cut(session.Prompt, "script:")
	if !found {
		return input
	}
	line, _, _ := strings.Cut(script, "\n")
	return json.RawMessage(line)
}

func die(status int, format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(status)
}

// tickForever is the child: it appends to the ticks until it is killed.
func tickForever(dir, name string) {
	die(70, "tick: %v", tick(dir, name))
}

func file(dir, name string) string { return filepath.Join(dir, name) }
