// Command delegate is a coordinator: it delegates writing code, then testing it, then reviewing it, each to whoever answers for
// the role, and prints what it sees on the way. It needs nothing but the SDK and the address of the service.
//
//	EVENTS_SERVICE_URL=http://127.0.0.1:3009 delegate --dir ./workspace
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/rolecall-dev/rolecall/sdk"
)

func main() {
	dir := flag.String("dir", ".", "the folder the agents work in")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "delegate:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := sdk.FromEnv()
	if err != nil {
		return err
	}
	return delegate(ctx, client, dir)
}

// delegate runs the three tasks in order; a later one is handed out only when the one before has done its part.
func delegate(ctx context.Context, client *sdk.Client, dir string) error {
	input := sdk.Input(map[string]string{"dir": dir})
	// The first choice gets three attempts; then a stage with another model takes over.
	written, err := step(ctx, client, func() (*sdk.Task, error) {
		return client.RequestCode(ctx, "Mend Total: count every piece, and stop at zero", input,
			sdk.WithPriority(sdk.PriorityHigh),
			sdk.WithRetry(sdk.Retry{MaxAttempts: 3, InitialIntervalMs: 200}),
			sdk.WithFallback(sdk.Stage{Model: "final"}))
	})
	if err != nil {
		return err
	}
	tested, err := step(ctx, client, func() (*sdk.Task, error) {
		return client.DelegateToRole(ctx, sdk.RoleTester, sdk.TypeCodeTest, "Test the change", input, sdk.Correlation(written.ID))
	})
	if err != nil {
		return err
	}
	if err := judge(tested, "ok"); err != nil {
		return err
	}
	reviewed, err := step(ctx, client, func() (*sdk.Task, error) {
		return client.DelegateToRole(ctx, sdk.RoleReviewer, sdk.TypeCodeReview, "Review the change", input, sdk.Correlation(written.ID))
	})
	if err != nil {
		return err
	}
	return judge(reviewed, "approved")
}
