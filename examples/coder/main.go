// Command coder is the worker agent of the README of @codmir/events-sdk, on rolecall: it registers, takes the tasks of the role coder, reports progress and
// answers with code. Start as many as you like; they share the tasks. docs/from-codmir.md puts the two side by side.
//
//	EVENTS_SERVICE_URL=http://127.0.0.1:3009 coder
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/rolecall-dev/rolecall/sdk"
)

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "coder:", err)
		os.Exit(1)
	}
}

func start() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := sdk.FromEnv()
	if err != nil {
		return err
	}
	return run(ctx, client, os.Stdout)
}

// run registers the coder, and works until ctx ends; the task that it has then may go on for 30 s.
func run(ctx context.Context, client *sdk.Client, out io.Writer) error {
	log := slog.New(slog.NewTextHandler(out, nil))
	worker, err := sdk.NewWorker(client, sdk.WorkerConfig{
		Name:         "Coder AI",
		Roles:        []sdk.Role{sdk.RoleCoder},
		Capabilities: []string{"typescript", "nodejs", "react", "nextjs"},
		Addressable:  true, // so that tasks can ask for its capabilities
		Logger:       log,
	})
	if err != nil {
		return err
	}
	return worker.StartProcessing(ctx, sdk.HandlerFunc(func(ctx context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
		log.Info("processing a task", "task", a.Task.ID, "title", a.Task.Title)
		return write(ctx, a, r)
	}))
}

// input is what a task asks for.
type input struct {
	Spec  string   `json:"spec"`
	Files []string `json:"files"` // files, or folders with a slash at their end
}

// write does one attempt at a task.
func write(ctx context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
	var wanted input
	if err := json.Unmarshal(a.Task.Input, &wanted); err != nil {
		return nil, sdk.Final(sdk.CodeInvalidInput, fmt.Errorf("the task's input must be {spec, files}: %w", err))
	}
	if len(wanted.Files) == 0 {
		return nil, sdk.Final(sdk.CodeInvalidInput, errors.New("the task's input names no files: it must be {spec, files}"))
	}
	r.Progress(sdk.Progress{Percentage: 50, Message: "Generating code..."})
	code, created, err := generate(ctx, a.Task.Title, wanted)
	if err != nil {
		return nil, err // another attempt follows
	}
	output, err := json.Marshal(map[string]any{"code": code, "filesCreated": created})
	if err != nil {
		return nil, err
	}
	tokens := int64(len(strings.Fields(code))) // a model says how many it took
	return &sdk.Result{Output: output, Metrics: sdk.Metrics{TokensUsed: &tokens}}, nil
}

// generate stands in for a model, which would take longer and stop when ctx ends: it writes the same function into every file.
func generate(ctx context.Context, title string, wanted input) (code string, created []string, err error) {
	var all strings.Builder
	for _, file := range wanted.Files {
		if ctx.Err() != nil {
			return "", nil, context.Cause(ctx)
		}
		if strings.HasSuffix(file, "/") {
			file += "login.ts"
		}
		created = append(created, file)
		fmt.Fprintf(&all, "// %s: %s\n// %s\nexport async function login(name: string, password: string): Promise<string> {\n", file, title, wanted.Spec)
		all.WriteString("\treturn sign(await users.verify(name, password));\n}\n")
	}
	return all.String(), created, nil
}
