// Package e2e_test shows rolecall from end to end: real processes, a real Temporal, and agents that are told by a task's input what
// to do (see dev/cmd/scripted-agent). What a test acts upon is a fact that it has seen: a file, a process, an answer of the API.
package e2e_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// patience bounds every wait that has no bound of its own: long enough for a loaded machine, and never a measure of anything.
const patience = 60 * time.Second

// sharing is the stacks of all tests that end no process but their own workers, the newest last.
type sharing struct {
	mu     sync.Mutex
	stacks []*dev.Stack
	err    error
}

// scenesPerStack is after how many scenes the tests that begin get another stack: a server without keys has at most 100 projects, and
// those that have begun may still make some.
const scenesPerStack = 60

//nolint:gochecknoglobals // stacks for the tests of this package, and numbers that keep them apart
var (
	shared sharing
	scenes atomic.Int64
)

// parallel is how many tests run at once, whatever the machine: they wait far more than they compute. -parallel wins.
const parallel = 6

func TestMain(m *testing.M) {
	// The sticky cache is the process's, and the first worker in it, whatever it serves, settles its size. A control worker in this
	// process is one without: see histories_test.go.
	worker.SetStickyWorkflowCacheSize(0)
	flag.Parse()
	if *outboxTemporal != "" {
		if err := runOutboxControl(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", strconv.Itoa(parallel)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	code := m.Run()
	for _, stack := range shared.stacks {
		if err := stack.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "close a shared stack:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// sharedStack is the stack of tests that end no process but their own workers. It is started by the first that asks.
func sharedStack(t *testing.T) *dev.Stack {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if scenes.Load() >= int64(scenesPerStack*len(shared.stacks)) && shared.err == nil {
		stack, err := dev.Start(context.WithoutCancel(t.Context()), dev.Options{})
		if shared.err = err; err == nil {
			shared.stacks = append(shared.stacks, stack)
		}
	}
	if shared.err != nil {
		t.Fatalf("start a shared stack: %v", shared.err)
	}
	stack := shared.stacks[len(shared.stacks)-1]
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("API: %s\ncontrol worker: %s", stack.API.LogTail(20), stack.Control.LogTail(20))
		}
	})
	return stack
}

// ownStack is a stack of one test.
func ownStack(t *testing.T) *dev.Stack {
	t.Helper()
	stack, err := dev.Start(t.Context(), dev.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	return stack
}

// scene is a project of its own on a stack, with a name that no other test process uses: its workers, its tasks, and the folder where its agents leave their facts.
type scene struct {
	t       *testing.T
	stack   *dev.Stack
	project string
	client  *sdk.Client
	dir     string
	agent   string                         // the scripted agent
	able    func(id string, can ...string) // registers an agent that a scenario of kept histories needs; nil elsewhere
}

func newScene(t *testing.T, stack *dev.Stack) *scene {
	t.Helper()
	s := &scene{t: t, stack: stack, project: fmt.Sprintf("scene-%d-%d", os.Getpid(), scenes.Add(1)), dir: t.TempDir()}
	t.Cleanup(s.settle)
	var err error
	if s.agent, err = dev.Build(t.Context(), dev.ScriptedAgent); err != nil {
		t.Fatal(err)
	}
	if s.client, err = sdk.NewClient(sdk.Config{URL: stack.URL(), ProjectID: s.project}); err != nil {
		t.Fatal(err)
	}
	return s
}

// worker starts a worker of the scene's project, as if on a machine of its own: with a data directory that it shares with nobody.
// What w leaves out is filled in; the default role is coder. It is killed at the end of the test.
func (s *scene) worker(name string, w dev.Worker) *dev.Process {
	s.t.Helper()
	if len(w.Roles) == 0 {
		w.Roles = []sdk.Role{sdk.RoleCoder}
	}
	if len(w.Command) == 0 && w.Agent == "" {
		w.Command = []string{s.agent}
	}
	w.Name, w.Project = s.project+"-"+name, s.project
	w.Env = append([]string{"AGENT_ID=" + name, "ROLECALL_DATA_DIR=" + filepath.Join(s.stack.Dir(), w.Name)}, w.Env...)
	p, err := s.stack.StartWorker(s.t.Context(), w)
	if p != nil {
		s.t.Cleanup(func() {
			if s.t.Failed() {
				s.t.Logf("worker %s:\n%s", name, p.LogTail(60))
			}
			_ = p.Kill() // it may have ended
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// settle waits until no agent of the scene is left: its workers are dead, and its folder is about to be removed.
func (s *scene) settle() {
	if err := dev.Until(context.WithoutCancel(s.t.Context()), patience, func(context.Context) error {
		return s.nothingLeft()
	}); err != nil {
		s.t.Errorf("after the test: %v", err)
	}
}

// script is what the agents of a task do, by "stage.attempt" or "*".
type script map[string][]string

// delegate hands out a task whose input is the script. By default a lost worker is noticed after 5 s, the least there is.
func (s *scene) delegate(steps script, with ...func(*sdk.TaskRequest)) *sdk.Task {
	s.t.Helper()
	input, err := json.Marshal(map[string]any{"dir": s.dir, "attempts": steps})
	if err != nil {
		s.t.Fatal(err)
	}
	request := sdk.TaskRequest{
		Type: sdk.TypeCodeWrite, Title: s.t.Name(), Input: input,
		Retry: &sdk.Retry{InitialIntervalMs: 100}, Timeouts: &sdk.Timeouts{HeartbeatMs: 5000},
	}
	for _, change := range with {
		change(&request)
	}
	task, err := s.client.CreateTask(s.t.Context(), request)
	if err != nil {
		s.t.Fatal(err)
	}
	return task
}

// ended waits for the end of a task.
func (s *scene) ended(id string) *sdk.Task {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	task, err := s.client.WaitForTask(ctx, id)
	if err != nil {
		s.t.Fatalf("waiting for the end of the task: %v", err)
	}
	return task
}

// is waits until what GET answers for a task meets the condition, and returns that answer.
func (s *scene) is(what, id string, condition func(*sdk.Task) bool) *sdk.Task {
	s.t.Helper()
	var task *sdk.Task
	s.eventually(what, patience, func() (err error) {
		if task, err = s.client.GetTask(s.t.Context(), id); err != nil {
			return err
		}
		if !condition(task) {
			return fmt.Errorf("the task is %s, its chain %q", task.Status, chain(task))
		}
		return nil
	})
	return task
}

// eventually waits until look returns nil, at most for the given time, and returns how long that took.
func (s *scene) eventually(what string, atMost time.Duration, look func() error) time.Duration {
	s.t.Helper()
	began := time.Now()
	if err := dev.Until(s.t.Context(), atMost, func(context.Context) error { return look() }); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
	return time.Since(began)
}

// chain is a task's chain of attempts as "stage.attempt outcome".
func chain(task *sdk.Task) []string {
	list := make([]string, len(task.Attempts))
	for i, a := range task.Attempts {
		list[i] = fmt.Sprintf("%d.%d %s", a.Stage, a.Attempt, a.Outcome)
	}
	return list
}

// path is a file in the scene's folder.
func (s *scene) path(name string) string { return filepath.Join(s.dir, name) }

// touch makes a file that a script waits for with until.
func (s *scene) touch(name string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// appears waits for a file of a script.
func (s *scene) appears(name string) {
	s.t.Helper()
	s.eventually(name, patience, func() error {
		_, err := os.Stat(s.path(name))
		return err
	})
}

// do fails the test at once when a step did not work.
func (s *scene) do(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
