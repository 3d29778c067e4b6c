package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestDoctorSaysWhatItCouldNotSee: a Temporal that answers and refuses is no healthy one, and no silent one.
func TestDoctorSaysWhatItCouldNotSee(t *testing.T) {
	t.Parallel()
	denied := serviceerror.ToStatus(serviceerror.NewPermissionDenied("not for you", "")).Err()
	for name, tc := range map[string]struct {
		temporal *frontend
		says     []string
	}{
		"the queues":    {&frontend{queue: func(context.Context) error { return denied }}, []string{"task queue rolecall: not for you", "reachable, keeps finished tasks for 3 days"}},
		"the namespace": {&frontend{namespace: denied}, []string{"namespace default: not for you"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serving(t, taskIn("queued", nil))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := program(ctx, []string{"EVENTS_SERVICE_URL=" + s.URL, "TEMPORAL_ADDRESS=" + tc.temporal.serve(t)}, "doctor")
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() != exitFailed || strings.Contains(string(out), "All is well") {
				t.Errorf("%v\n%s", err, out)
			}
			for _, want := range tc.says {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}

// TestDoctorKeepsWhatItSaw ends the examination's time while the queues are looked at.
func TestDoctorKeepsWhatItSaw(t *testing.T) {
	t.Parallel()
	bounded, cancel := context.WithCancel(t.Context())
	defer cancel()
	temporal := &frontend{queue: func(asked context.Context) error {
		cancel()
		<-asked.Done()
		return asked.Err()
	}}
	service, err := sdk.NewClient(sdk.Config{URL: serving(t, taskIn("queued", nil)).URL})
	if err != nil {
		t.Fatal(err)
	}
	opts := client.Options{HostPort: temporal.serve(t), Namespace: "default", Logger: log.NewStructuredLogger(silent())}
	var seen examination
	seen.look(bounded, service, opts, []sdk.Role{sdk.RoleCoder})
	if !seen.Service.Ready || !seen.Temporal.Reachable || !strings.Contains(seen.Temporal.Problem, "no time left") {
		t.Errorf("%+v", seen)
	}
	if found := diagnose(seen); len(found) != 1 || worst(seen, found) != exitFailed {
		t.Errorf("%+v", found)
	}
}

// frontend is a Temporal that answers doctor's first questions: a namespace that keeps runs for 3 days, unless it refuses.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	namespace error
	queue     func(context.Context) error
}

// serve serves it for the time of the test and answers its address.
func (f *frontend) serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, f)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func (f *frontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (f *frontend) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	if f.namespace != nil {
		return nil, f.namespace
	}
	return &workflowservice.DescribeNamespaceResponse{Config: &namespace.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(72 * time.Hour)}}, nil
}

func (f *frontend) DescribeTaskQueue(ctx context.Context, _ *workflowservice.DescribeTaskQueueRequest) (*workflowservice.DescribeTaskQueueResponse, error) {
	return nil, f.queue(ctx)
}
