//go:build linux || darwin

package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// The test binary is also the agent program and the worker of these tests: as "<binary> as <part> args…".
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "as" {
		if err := play(os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// as is the command line that makes the test binary play a part.
func as(part string, args ...string) []string {
	return append([]string{os.Args[0], "as", part}, args...)
}

func play(part string, args []string) error {
	switch part {
	case "echo": // the assignment and the environment, as the result
		in, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		return say("result", map[string]any{"output": map[string]any{"stdin": json.RawMessage(in), "env": os.Environ(), "args": args}})
	case "flood": // bytes without a newline
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		_, err = io.CopyN(os.Stdout, zeros{}, int64(n))
		return err
	case "detach": // a child in a session of its own, ignoring SIGTERM, its environment cleaned when args[2] says so
		cmd := exec.Command(os.Args[0], "as", "stay", args[0])
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if len(args) > 2 {
			cmd.Env, cmd.Stdout = []string{"CLEAN=1"}, os.Stdout
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		if args[1] == "leave" {
			return nil
		}
		return cmd.Wait()
	case "stay": // until it is killed, having written its pid
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		if err := writePID(args[0], os.Getpid()); err != nil {
			return err
		}
		select {}
	case "worker":
		return work(args)
	}
	return fmt.Errorf("no part %q", part)
}

func say(key string, value any) error {
	return json.NewEncoder(os.Stdout).Encode(map[string]any{key: value})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// writePID writes a pid in one step, so that who finds the file finds all of it.
func writePID(path string, pid int) error {
	if err := os.WriteFile(path+".tmp", []byte(strconv.Itoa(pid)), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// job is what a worker process of these tests is told to do.
type job struct {
	Config     Config
	Assignment sdk.Assignment
}

// work is a worker process: it does one attempt and prints how it ended.
func work(args []string) error {
	var j job
	if err := json.NewDecoder(bytes.NewReader([]byte(args[0]))).Decode(&j); err != nil {
		return err
	}
	a, err := New(j.Config)
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	res, err := a.Handle(context.Background(), &j.Assignment, &recorder{})
	if err != nil {
		return err
	}
	return say("output", res.Output)
}
