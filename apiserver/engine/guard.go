package engine

import (
	"runtime/debug"

	"github.com/rolecall-dev/rolecall/sdk"
)

// guarded turns a panic of f into an internal error: f runs in a goroutine of its own, where a panic would end the process. The
// error has the panic's type and stack, for the log; its text may hold what a caller sent.
func guarded(f func() (any, error)) func() (any, error) {
	return func() (value any, err error) {
		defer func() {
			if v := recover(); v != nil {
				value, err = nil, sdk.Errorf(sdk.CodeInternal, "a panic of type %T: %s", v, debug.Stack())
			}
		}()
		return f()
	}
}
