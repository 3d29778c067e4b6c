// Command rolecall serves tasks, works on them and hands them out: see rolecall help.
package main

import (
	"context"
	"os"
)

func main() {
	ctx, stop := untilSignal(context.Background(), os.Exit)
	code := run(ctx, os.Args[1:], process())
	stop()
	os.Exit(code)
}
