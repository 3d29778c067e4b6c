package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// player plays the steps of one attempt.
type player struct {
	a    sdk.Assignment
	dir  string
	name string
}

func (p player) play(step string) error {
	verb, arg, _ := strings.Cut(step, ":")
	switch verb {
	case "pid":
		return p.write(p.name+".pid", strconv.Itoa(os.Getpid()))
	case "key":
		return p.key()
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		return nil
	case "child":
		return p.child(arg == "stubborn")
	case "tick":
		go tickForever(p.dir, p.name)
		return nil
	case "touch":
		return p.write(arg, "")
	case "effect":
		return p.effect(arg)
	case "again":
		if p.sentBack() {
			return p.play(arg)
		}
		return nil
	case "until":
		return p.until(arg)
	case "hang":
		select {}
	case "flood":
		return p.flood(arg)
	default:
		return p.say(verb, arg)
	}
}

// say plays the steps that are a line of the protocol.
func (p player) say(verb, arg string) error {
	switch verb {
	case "resume":
		return line("resume", json.RawMessage(arg))
	case "progress":
		percentage, err := strconv.ParseFloat(arg, 64)
		if err != nil {
			return err
		}
		return line("progress", map[string]any{"percentage": percentage, "phase": "playing", "message": p.name})
	case "report":
		return line("progress", json.RawMessage(arg))
	case "whole":
		return p.last("result", json.RawMessage(arg), 0)
	case "prompt":
		return p.last("result", map[string]any{"output": p.a.Task.Input}, 0)
	case "ask":
		prompt, schema, found := strings.Cut(arg, "|")
		question := map[string]any{"prompt": prompt}
		if found {
			question["schema"] = json.RawMessage(schema)
		}
		return p.last("inputRequired", question, 0)
	case "fail":
		code, kind, _ := strings.Cut(arg, ":")
		return p.last("error", map[string]any{"code": code, "message": "as the script says", "retryable": kind == "retryable"}, 1)
	case "exit":
		status, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "leaving as the script says")
		os.Exit(status)
	case "result":
		return p.last("result", map[string]any{"output": json.RawMessage(arg)}, 0)
	case "echo":
		return p.last("result", map[string]any{"output": map[string]any{
			"resume": p.a.Resume, "answers": p.a.Answers, "attempt": p.a.Attempt, "model": p.a.Model,
		}}, 0)
	}
	return fmt.Errorf("no such step")
}

// last writes the line that ends the attempt, and ends.
func (p player) last(key string, value any, status int) error {
	if err := line(key, value); err != nil {
		return err
	}
	os.Exit(status)
	return nil
}

func (p player) write(name, content string) error {
	temporary := file(p.dir, name+"."+strconv.Itoa(os.Getpid())+".part") // several agents may write the same fact
	if err := os.WriteFile(temporary, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, file(p.dir, name))
}

// effect leaves a line of its own. It is one write, so lines of several processes do not mix.
func (p player) effect(name string) error {
	f, err := os.OpenFile(file(p.dir, "effects"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %s\n", p.a.Task.ID, name)
	return errors.Join(err, f.Close())
}

// sentBack reports whether the input holds what a gate said of the work before.
func (p player) sentBack() bool {
	var in struct {
		Feedback json.RawMessage `json:"feedback"`
	}
	return json.Unmarshal(p.a.Task.Input, &in) == nil && len(in.Feedback) > 0
}

// key writes the key that the SDK would call the API with.
func (p player) key() error {
	cfg, err := sdk.ConfigFromEnv()
	if err != nil {
		return err
	}
	return p.write(p.name+".key", cmp.Or(cfg.APIKey, "none"))
}

func (p player) until(name string) error {
	for again := time.NewTicker(10 * time.Millisecond); ; <-again.C {
		if _, err := os.Stat(file(p.dir, name)); err == nil {
			return nil
		}
	}
}

func (p player) child(stubborn bool) error {
	cmd := exec.Command(os.Args[0], "tick", p.dir, p.name, strconv.FormatBool(stubborn))
	if err := cmd.Start(); err != nil {
		return err
	}
	return p.write(p.name+".child", strconv.Itoa(cmd.Process.Pid))
}

func (p player) flood(arg string) error {
	ms, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	end := time.Now().Add(time.Duration(ms) * time.Millisecond)
	again := time.NewTicker(10 * time.Millisecond)
	for i := 0; time.Now().Before(end); i++ {
		if err := line("progress", map[string]any{"percentage": float64(i % 100), "message": strconv.Itoa(i)}); err != nil {
			return err
		}
		<-again.C
	}
	return nil
}

// tick appends the time to the ticks every 20 ms until it cannot. Each line is one write, so lines of several processes do not mix.
func tick(dir, name string) error {
	f, err := os.OpenFile(file(dir, "ticks"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for again := time.NewTicker(20 * time.Millisecond); ; <-again.C {
		if _, err := fmt.Fprintf(f, "%s %d\n", name, time.Now().UnixNano()); err != nil {
			return err
		}
	}
}

func line(key string, value any) error {
	return json.NewEncoder(os.Stdout).Encode(map[string]any{key: value})
}
