// Command rolecall-dev runs rolecall on one machine from one command: Temporal with its Web UI, the event log, the control worker and
// the API, until it is interrupted. What it keeps survives a restart.
//
//	rolecall-dev                   everything
//	rolecall-dev --only temporal   Temporal and its Web UI alone
//	rolecall-dev --only events     the event log alone, for ROLECALL_NATS_URL of the other parts
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "rolecall-dev:", err)
		os.Exit(1)
	}
}
