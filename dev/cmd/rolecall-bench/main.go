// Command rolecall-bench measures what a task costs beside the bare engine, or with -events the event log beside bare JetStream, and
// prints it as Markdown; `make bench` runs it, and docs/performance.md says how to read it. It starts everything it needs, itself as workers and callers among it.
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
	err := start()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "rolecall-bench:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "rolecall-bench:", err)
		os.Exit(1)
	}
}

func start() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	args, isAboutEvents := asksForEvents(os.Args[1:])
	if isAboutEvents {
		f, err := parseEventFlags(args, os.Stderr)
		if err != nil {
			return err
		}
		return aboutEvents(ctx, f)
	}
	f, err := parseFlags(args, os.Stderr)
	if err != nil {
		return err
	}
	switch {
	case f.part != "":
		return serve(ctx, f)
	case f.call != "":
		return call(ctx, f)
	}
	return measure(ctx, f)
}
