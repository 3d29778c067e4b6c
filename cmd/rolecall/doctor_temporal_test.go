package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

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
		"the queues":    {&frontend{queue: func(context.Context) error { return denied }}, []string{"task queue rolecall: not for you", "reachable, keeps finished tasks and idempotency keys for 3 days"}},
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
	queue     func(context.Context) error              // what describing a queue fails with; nil: it does not
	ahead     time.Duration                            // of its clock
	handing   *taskqueuepb.TaskQueueVersioningInfo     // of workflows
	drainage  map[string]enumspb.VersionDrainageStatus // of deployment d, by build
	backlog   []byte                                   // what it tells operators of any queue; nil: nothing

	mu      sync.Mutex
	pollers map[string][]*taskqueuepb.PollerInfo // by queue
}

// serve serves it for the time of the test and answers its address.
func (f *frontend) serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(f.admin))
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

func (f *frontend) DescribeTaskQueue(ctx context.Context, in *workflowservice.DescribeTaskQueueRequest) (*workflowservice.DescribeTaskQueueResponse, error) {
	if f.queue != nil {
		return nil, f.queue(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	got := &workflowservice.DescribeTaskQueueResponse{Pollers: f.pollers[in.GetTaskQueue().GetName()]}
	if in.GetTaskQueueType() == enumspb.TASK_QUEUE_TYPE_WORKFLOW {
		got.VersioningInfo = f.handing
	}
	return got, nil
}

// PollActivityTaskQueue enters who asks, by a clock that is ahead, and has no work.
func (f *frontend) PollActivityTaskQueue(ctx context.Context, in *workflowservice.PollActivityTaskQueueRequest) (*workflowservice.PollActivityTaskQueueResponse, error) {
	f.mu.Lock()
	if f.pollers == nil {
		f.pollers = map[string][]*taskqueuepb.PollerInfo{}
	}
	f.pollers[in.GetTaskQueue().GetName()] = append(f.pollers[in.GetTaskQueue().GetName()], &taskqueuepb.PollerInfo{
		Identity: in.GetIdentity(), LastAccessTime: timestamppb.New(time.Now().Add(f.ahead)),
	})
	f.mu.Unlock()
	<-ctx.Done()
	return nil, ctx.Err()
}

// backlog answers a DescribeTaskQueuePartition with one queue whose backlog has the field of this number.
func backlog(field protowire.Number, more ...byte) []byte {
	status := protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), 1)
	if field >= 7 && field <= 9 {
		status = protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), []byte{8, 1})
	}
	status = append(status, more...)
	wrap := func(field protowire.Number, in []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), in)
	}
	return wrap(1, append(wrap(1, nil), wrap(2, wrap(2, wrap(3, status)))...))
}

// admin answers what is no method of the frontend.
func (f *frontend) admin(_ any, stream grpc.ServerStream) error {
	var in, out emptypb.Empty
	if err := stream.RecvMsg(&in); err != nil {
		return err
	}
	if f.backlog == nil {
		return serviceerror.ToStatus(serviceerror.NewPermissionDenied("not for you", "")).Err()
	}
	out.ProtoReflect().SetUnknown(f.backlog)
	return stream.SendMsg(&out)
}

// TestDoctorReadsClockAndFairness reads them from a Temporal whose clock is ahead and which tells, or does not, how it keeps a backlog.
func TestDoctorReadsClockAndFairness(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		backlog  []byte
		fairness string
	}{
		"with a pass":        {backlog(7), fairnessOn},
		"without":            {backlog(6), fairnessOff},
		"being emptied":      {backlog(6, 10<<3, 1), fairnessNotSeen},
		"nothing has waited": {backlog(4), fairnessNotSeen},
		"cut short":          {backlog(7)[:9], fairnessUntold},
		"not let in":         {nil, fairnessUntold},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			temporal := &frontend{ahead: 7 * time.Second, backlog: tc.backlog}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			opts := client.Options{HostPort: temporal.serve(t), Namespace: "default", Logger: log.NewStructuredLogger(silent())}
			var seen examination
			if err := seen.lookAtTemporal(ctx, opts, []sdk.Role{sdk.RoleCoder}); err != nil {
				t.Fatal(err)
			}
			if seen.Temporal.Fairness != tc.fairness {
				t.Errorf("fairness is %q, want %q", seen.Temporal.Fairness, tc.fairness)
			}
			if c := seen.Temporal.Clock; c == nil || c.AtMostMs < 7000 || c.AtLeastMs > 7000 {
				t.Errorf("the clock is %+v, want it 7 s ahead", c)
			}
		})
	}
}

// TestDoctorReadsTheServicesClock: the Date of an answer tells the second only.
func TestDoctorReadsTheServicesClock(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		date string
		off  bool
	}{
		"the same":   {time.Now().UTC().Format(http.TimeFormat), false},
		"long ago":   {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), true},
		"not a date": {"soon", false},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Date", tc.date) }))
		t.Cleanup(s.Close)
		c := serviceClock(t.Context(), s.URL+"/")
		if (c == nil) != (tc.date == "soon") || (c.off() < -59*time.Minute) != tc.off {
			t.Errorf("%s: %+v", name, c)
		}
	}
}
