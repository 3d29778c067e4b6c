// Command rolecall-demo starts rolecall on free ports with a coder, a tester and a reviewer worker, lets the coordinator of
// examples/delegate hand real work to them, and ends. KEEP=1 leaves everything up until Ctrl-C.
package main

import (
	"context"
	"fmt"
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
	Keep bool `env:"KEEP" doc:"1 leaves everything up until Ctrl-C."`
}

func start() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := env.ParseAs[config]()
	if err != nil {
		return err
	}
	return run(ctx, cfg.Keep)
}
