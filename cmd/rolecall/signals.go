package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// errInterrupted is the cause of the context's end after a signal.
var errInterrupted = errors.New("interrupted")

// untilSignal ends the context at the first SIGINT or SIGTERM and the process at the second, with 128 and the signal's number.
func untilSignal(parent context.Context, exit func(int)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	done := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for seen := 0; ; seen++ {
			select {
			case <-done:
				return
			case s := <-signals:
				if seen > 0 {
					exit(128 + number(s))
				}
				cancel(errInterrupted)
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

func number(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return int(n)
	}
	return int(syscall.SIGINT)
}
