package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	dialTry         = 5 * time.Second
	dialBackoff     = 200 * time.Millisecond
	dialBackoffMost = 5 * time.Second

	reconnectLeast = 100 * time.Millisecond // between two tries to connect again
	reconnectMost  = 2 * time.Second

	memoWarning = 512 << 10 // bytes; the memo of a task has its text, that of a plan its steps, where the SDK expects 2 KiB
)

// TemporalFromEnv reads the official TEMPORAL_* variables and temporal.toml profiles. Nothing set means 127.0.0.1:7233 and the
// namespace "default". A lost connection is tried again every 2 s or so.
func TemporalFromEnv() (client.Options, error) {
	opts, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return client.Options{}, fmt.Errorf("read the TEMPORAL_* variables and temporal.toml: %w", err)
	}
	return withQuickReconnect(withTemporalDefaults(opts)), nil
}

func withTemporalDefaults(opts client.Options) client.Options {
	if opts.HostPort == "" {
		opts.HostPort = "127.0.0.1:7233"
	}
	if opts.Namespace == "" {
		opts.Namespace = client.DefaultNamespace
	}
	if opts.PayloadLimits.MemoSizeWarning == 0 {
		opts.PayloadLimits.MemoSizeWarning = memoWarning
	}
	if opts.DataConverter == nil {
		opts.DataConverter = workflows.DataConverter()
	}
	return opts
}

// Dial answers a client once Temporal can be reached and has the namespace; until then it waits, saying in the log what for, and
// gives up when ctx ends. Credentials that are refused are an error at once. logger may be nil.
func Dial(ctx context.Context, opts client.Options, logger *slog.Logger) (client.Client, error) {
	if logger == nil {
		logger = slog.Default()
	}
	opts = withTemporalDefaults(opts)
	if opts.Logger == nil {
		opts.Logger = log.NewStructuredLogger(logger)
	}
	for wait, said := dialBackoff, ""; ; wait = min(2*wait, dialBackoffMost) {
		c, err := dialOnce(ctx, opts)
		if err == nil {
			return c, nil
		}
		reason, final := dialFault(opts, err)
		if final {
			return nil, fmt.Errorf("%s: %w", reason, err)
		}
		if reason != said {
			logger.Warn(reason+"; waiting for it", "address", opts.HostPort, "namespace", opts.Namespace, "error", err)
			said = reason
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("gave up waiting for Temporal at %s: %w", opts.HostPort, errors.Join(context.Cause(ctx), err))
		case <-time.After(wait):
		}
	}
}

// withQuickReconnect bounds the pause between two tries to connect to a Temporal that was away. The SDK's own grows to 10 s, and a
// worker that is found to be without connection only for that reason loses its attempts.
func withQuickReconnect(opts client.Options) client.Options {
	params := grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: dialTry}
	params.Backoff.BaseDelay, params.Backoff.MaxDelay = reconnectLeast, reconnectMost
	opts.ConnectionOptions.DialOptions = slices.Concat([]grpc.DialOption{grpc.WithConnectParams(params)}, opts.ConnectionOptions.DialOptions)
	return opts
}

func dialOnce(ctx context.Context, opts client.Options) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTry)
	defer cancel()
	c, err := client.DialContext(ctx, opts)
	if err != nil {
		return nil, err
	}
	if _, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: opts.Namespace}); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// dialFault says in words why Temporal cannot be used; final is what waiting does not mend.
func dialFault(opts client.Options, err error) (reason string, final bool) {
	if is[*serviceerror.NamespaceNotFound](err) {
		return fmt.Sprintf("Temporal at %s has no namespace %q", opts.HostPort, opts.Namespace), false
	}
	if is[*serviceerror.PermissionDenied](err) || status.Code(err) == codes.Unauthenticated {
		return fmt.Sprintf("Temporal at %s refuses these credentials (TEMPORAL_API_KEY, TEMPORAL_TLS_*)", opts.HostPort), true
	}
	if is[*serviceerror.InvalidArgument](err) {
		return fmt.Sprintf("Temporal at %s refuses the connection's settings", opts.HostPort), true
	}
	return fmt.Sprintf("Temporal cannot be reached at %s", opts.HostPort), false
}
