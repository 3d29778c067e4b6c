package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/internal/realpi"
	"github.com/rolecall-dev/rolecall/dev/modelserver"
	"github.com/rolecall-dev/rolecall/sdk"
)

// piCoder is a worker that runs the real pi with a scripted model, so that it needs no account: what the model says is prepared, what
// pi does with it is real. close ends the model. work is a folder for pi's configuration and conversations.
func piCoder(root, work, changes string) (w dev.Worker, closeModel func() error, err error) {
	program, err := realpi.Program(root)
	if err != nil {
		return w, nil, err
	}
	script, err := piScript(changes)
	if err != nil {
		return w, nil, err
	}
	model, err := modelserver.New(script)
	if err != nil {
		return w, nil, err
	}
	url, closeModel, err := model.Listen()
	if err != nil {
		return w, nil, err
	}
	dir := filepath.Join(work, "pi")
	if err := realpi.Configure(dir, url, "draft", "final"); err != nil {
		return w, closeModel, err
	}
	say("the coder is pi, for real; its model is scripted and serves at " + url)
	return dev.Worker{
		Agent: "pi", Roles: []sdk.Role{sdk.RoleCoder}, Command: []string{"--offline", "--no-context-files", "--no-extensions", "--no-skills"},
		Env: []string{
			goEnv + ",PI_*", "PI_CODING_AGENT_DIR=" + dir, "ROLECALL_PI_SESSION_DIR=" + filepath.Join(work, "conversations"),
			"ROLECALL_PI_PROGRAM=" + program, "ROLECALL_PI_PROVIDER=" + realpi.Provider, "ROLECALL_PI_MODEL=draft",
		},
	}, closeModel, nil
}

// piScript is what the models say to pi: the first writes what does not build and then refuses to go on, the second mends it.
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
		{Status: http.StatusPaymentRequired, Text: "the budget of the model draft is used up"},
		call("The field is called Count.", "write", "path=price.go", "content="+string(final)),
		call("Now the tests.", "bash", "command=go test ./..."),
		{Text: "Total counts every piece and stops at zero; the tests pass.", Input: 1500, Cached: 900, Output: 40},
	}, nil
}
