package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// goEnv lets the agents of the demo run the go command as the person who started it would.
const goEnv = "ROLECALL_AGENT_ENV=PATH,HOME,LANG,TMPDIR,GO*,CGO_*,CC"

func run(ctx context.Context, keep bool) (err error) {
	root, err := dev.Root()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "rolecall-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	example := filepath.Join(root, "examples", "delegate")
	project := filepath.Join(work, "shop")
	if err := os.CopyFS(project, os.DirFS(filepath.Join(example, "testdata", "shop"))); err != nil {
		return err
	}
	began := time.Now()
	programs, err := buildPrograms(ctx, root, filepath.Join(work, "bin"))
	if err != nil {
		return err
	}
	stack, err := dev.Start(ctx, dev.Options{Report: say})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close()) }()
	for role, command := range map[sdk.Role][]string{
		sdk.RoleCoder:    {programs["coder"], "--changes", filepath.Join(example, "testdata", "changes")},
		sdk.RoleTester:   {programs["tester"]},
		sdk.RoleReviewer: {programs["reviewer"]},
	} {
		say("starting a worker for the role " + string(role))
		worker := dev.Worker{
			Name: string(role), Roles: []sdk.Role{role}, Command: command,
			Flags: []string{"--workdir", project, "--agent-id", "demo-" + string(role)}, Env: []string{goEnv},
		}
		if _, err := stack.StartWorker(ctx, worker); err != nil {
			return err
		}
	}
	say(fmt.Sprintf("ready after %s; the coordinator delegates now", time.Since(began).Round(100*time.Millisecond)))
	coordinator := exec.CommandContext(ctx, programs["delegate"], "--dir", project)
	coordinator.Env = append(os.Environ(), "EVENTS_SERVICE_URL="+stack.URL())
	coordinator.Stdout, coordinator.Stderr = os.Stdout, os.Stderr
	if err := coordinator.Run(); err != nil {
		return fmt.Errorf("the coordinator: %w\n%s", err, stack.Logs(40))
	}
	fmt.Print(farewell(keep, stack.UIURL(), stack.URL()))
	if keep {
		<-ctx.Done()
	}
	return nil
}

// farewell says where to look at what was done, and without keep how to get there: the stack is about to close.
func farewell(keep bool, ui, api string) string {
	if !keep {
		return "\nThe demo is done. `KEEP=1 make demo` keeps everything up afterwards, to look at in the Temporal UI and the API.\n"
	}
	return fmt.Sprintf("\nThe demo is done. Everything stays up until Ctrl-C.\n\n  Temporal UI  %s/namespaces/default/workflows\n  API docs     %s/docs\n", ui, api)
}

// buildPrograms builds the example's coordinator and agents and answers their paths by name.
func buildPrograms(ctx context.Context, root, dir string) (map[string]string, error) {
	say("building the example's agents")
	programs := map[string]string{}
	for name, pkg := range map[string]string{
		"delegate": "./examples/delegate", "coder": "./examples/delegate/agents/coder",
		"tester": "./examples/delegate/agents/tester", "reviewer": "./examples/delegate/agents/reviewer",
	} {
		programs[name] = filepath.Join(dir, name)
		build := exec.CommandContext(ctx, "go", "build", "-o", programs[name], pkg)
		build.Dir = root
		build.Env = append(os.Environ(), "GOWORK=off")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s: %w\n%s", pkg, err, strings.TrimSpace(string(out)))
		}
	}
	return programs, nil
}

func say(what string) { fmt.Println("demo:", what) }
