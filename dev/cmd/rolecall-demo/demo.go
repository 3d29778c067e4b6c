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

func run(ctx context.Context, cfg config) (err error) {
	root, err := dev.Root()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "rolecall-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	example := filepath.Join(root, "examples", "plan")
	project := filepath.Join(work, "shop")
	if err := os.CopyFS(project, os.DirFS(filepath.Join(example, "testdata", "shop"))); err != nil {
		return err
	}
	began := time.Now()
	programs, err := buildPrograms(ctx, root, filepath.Join(work, "bin"))
	if err != nil {
		return err
	}
	changes := filepath.Join(example, "testdata", "changes")
	coder := dev.Worker{Roles: []sdk.Role{sdk.RoleCoder}, Command: []string{programs["coder"], "--changes", changes}}
	tell := func() {}
	if cfg.Agent == agentPi {
		var pi *realCoder
		if pi, err = newRealCoder(root, work, changes); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, pi.stop()) }()
		coder, tell = pi.worker, pi.tell
	}
	stack, err := dev.Start(ctx, dev.Options{Report: say})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close()) }()
	coder.Flags = []string{"--workdir", project}
	if err := startWorkers(ctx, stack, coder,
		dev.Worker{Roles: []sdk.Role{sdk.RoleReviewer}, Command: []string{programs["reviewer"]}},
		dev.Worker{Roles: []sdk.Role{sdk.RoleTester}, Command: []string{programs["tester"]}},
		dev.Worker{Roles: []sdk.Role{sdk.RoleDocumenter}, Command: []string{programs["documenter"]}}); err != nil {
		return err
	}
	say(fmt.Sprintf("ready after %s; the plan is handed out now", time.Since(began).Round(100*time.Millisecond)))
	plan := exec.CommandContext(ctx, programs["plan"], "--dir", project)
	plan.Env = append(os.Environ(), "EVENTS_SERVICE_URL="+stack.URL())
	plan.Stdout, plan.Stderr = os.Stdout, os.Stderr
	if err := plan.Run(); err != nil {
		return fmt.Errorf("the plan: %w\n%s", err, stack.Logs(40))
	}
	tell()
	if err := replay(ctx, stack.Client(), cfg.Replay); err != nil {
		return fmt.Errorf("%w\n%s", err, stack.Logs(40))
	}
	fmt.Print(farewell(cfg.Keep, stack.UIURL(), stack.URL()))
	if cfg.Keep {
		<-ctx.Done()
	}
	return nil
}

// startWorkers starts workers, each as demo-<role>. One that says nothing of its environment gets goEnv.
func startWorkers(ctx context.Context, stack *dev.Stack, all ...dev.Worker) error {
	for _, w := range all {
		w.Name = string(w.Roles[0])
		say("starting a worker for the role " + w.Name)
		w.Flags = append(w.Flags, "--agent-id", "demo-"+w.Name)
		if len(w.Env) == 0 {
			w.Env = []string{goEnv}
		}
		if _, err := stack.StartWorker(ctx, w); err != nil {
			return err
		}
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

// buildPrograms builds the example and its agents and answers their paths by name.
func buildPrograms(ctx context.Context, root, dir string) (map[string]string, error) {
	say("building the example's agents")
	programs := map[string]string{}
	for name, pkg := range map[string]string{
		"plan": "./examples/plan", "coder": "./examples/agents/coder", "reviewer": "./examples/agents/reviewer",
		"tester": "./examples/agents/tester", "documenter": "./examples/agents/documenter",
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
