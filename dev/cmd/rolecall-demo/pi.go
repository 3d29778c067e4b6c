package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/internal/realpi"
	"github.com/rolecall-dev/rolecall/dev/modelserver"
	"github.com/rolecall-dev/rolecall/sdk"
)

// piModel is the name of the scripted model.
const piModel = "scripted"

// realCoder is a coder that is the real pi with a scripted model, so that it needs no account: what the model says is prepared, what pi
// does with it is real.
type realCoder struct {
	worker dev.Worker
	model  *modelserver.Server
	stop   func() error // ends the model
}

// newRealCoder makes one; work is a folder for pi's configuration and conversations.
func newRealCoder(root, work, changes string) (_ *realCoder, err error) {
	program, err := realpi.Program(root)
	if err != nil {
		return nil, err
	}
	script, err := piScript(changes)
	if err != nil {
		return nil, err
	}
	c := &realCoder{}
	if c.model, err = modelserver.New(script); err != nil {
		return nil, err
	}
	var url string
	url, c.stop, err = c.model.Listen()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(work, "pi")
	if err := realpi.Configure(dir, url, piModel); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	say("the coder is pi, for real; its model is scripted and serves at " + url)
	c.worker = dev.Worker{
		Agent: "pi", Roles: []sdk.Role{sdk.RoleCoder}, Command: []string{"--offline", "--no-context-files", "--no-extensions", "--no-skills"},
		Env: []string{
			goEnv + ",PI_*", "PI_CODING_AGENT_DIR=" + dir, "ROLECALL_PI_SESSION_DIR=" + filepath.Join(work, "conversations"),
			"ROLECALL_PI_PROGRAM=" + program, "ROLECALL_PI_PROVIDER=" + realpi.Provider, "ROLECALL_PI_MODEL=" + piModel,
		},
	}
	return c, nil
}

// tell prints the conversation as the last request to the model holds it: what the reviewer sent back, and what pi's tools really answered.
func (c *realCoder) tell() {
	requests := c.model.Requests()
	if len(requests) == 0 {
		return
	}
	fmt.Printf("\nwhat pi told its model in the last of %d requests:\n", len(requests))
	for _, m := range requests[len(requests)-1].Messages {
		if m.Role == "system" || m.Role == "developer" {
			continue
		}
		for _, line := range append([]string{oneLine(m.Text())}, m.Calls()...) {
			if line != "" {
				fmt.Printf("  %-9s  %s\n", m.Role, shortened(line))
			}
		}
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// shortened is at most 120 letters of a line.
func shortened(line string) string {
	if r := []rune(line); len(r) > 120 {
		return string(r[:119]) + "…"
	}
	return line
}

// piScript is what the model says to pi: first it writes what the reviewer complains of, and when the work comes back it mends that.
func piScript(changes string) (modelserver.Script, error) {
	draft, err := os.ReadFile(filepath.Join(changes, "draft", "price.go"))
	if err != nil {
		return nil, fmt.Errorf("the prepared change: %w", err)
	}
	final, err := os.ReadFile(filepath.Join(changes, "final", "price.go"))
	if err != nil {
		return nil, fmt.Errorf("the prepared change: %w", err)
	}
	call := func(text, tool string, arguments ...string) modelserver.Answer {
		named := map[string]any{}
		for _, a := range arguments {
			name, value, _ := strings.Cut(a, "=")
			named[name] = value
		}
		return modelserver.Answer{Text: text, Tools: []modelserver.Tool{{Name: tool, Arguments: named}}, Input: 900, Cached: 600, Output: 80}
	}
	return modelserver.Script{
		call("I read the code first.", "read", "path=price.go"),
		call("Every line times its quantity, and never below zero.", "write", "path=price.go", "content="+string(draft)),
		call("Does it build?", "bash", "command=go build ./..."),
		{Text: "It builds: Total counts every piece.", Input: 1100, Cached: 900, Output: 20},
		call("The reviewer is right: sum is assigned to itself.", "write", "path=price.go", "content="+string(final)),
		call("Now with vet and the tests.", "bash", "command=go vet ./... && go test ./..."),
		{Text: "Total counts every piece and stops at zero; vet is silent and the tests pass.", Input: 1500, Cached: 900, Output: 40},
	}, nil
}
