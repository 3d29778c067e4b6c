//go:build !linux && !darwin

package command

import (
	"context"
	"errors"
	"runtime"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Agent cannot be had on this system.
type Agent struct{}

var _ sdk.Handler = (*Agent)(nil)

// errUnsupported says what to do instead.
var errUnsupported = errors.New("the command agent needs process groups and runs on Linux and macOS only, not on " + runtime.GOOS +
	": run the worker there (WSL or a container will do)")

// New answers an error.
func New(Config) (*Agent, error) { return nil, errUnsupported }

// Handle answers an error.
func (*Agent) Handle(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
	return nil, sdk.Final("", errUnsupported)
}

// Close does nothing.
func (*Agent) Close() error { return nil }
