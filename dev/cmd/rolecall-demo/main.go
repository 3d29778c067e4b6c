// Command rolecall-demo starts rolecall on free ports with a coder, a reviewer, a tester and a documenter, has them do the plan of
// examples/plan, replays its events, and ends. KEEP=1 leaves everything up until Ctrl-C; AGENT=pi lets the real pi coding agent be the coder.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/caarlos0/env/v11"
)

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// config is the demo's environment.
type config struct {
	Keep  bool   `env:"KEEP" doc:"1 leaves everything up until Ctrl-C."`
	Agent string `env:"AGENT" doc:"pi lets the real pi coding agent write the code. Empty: a program with a prepared change."`

	Replay io.Writer `env:"-"` // where the replay of the events goes
}

const agentPi = "pi"

func start() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := env.ParseAs[config]()
	if err != nil {
		return err
	}
	if cfg.Agent != "" && cfg.Agent != agentPi {
		return fmt.Errorf("AGENT=%s is not known: use AGENT=pi, or leave it out", cfg.Agent)
	}
	cfg.Replay = os.Stdout
	return run(ctx, cfg)
}
