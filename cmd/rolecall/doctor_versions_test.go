package main

import (
	"context"
	"strings"
	"testing"
	"time"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// DescribeWorkerDeployment knows the deployment d.
func (f *frontend) DescribeWorkerDeployment(_ context.Context, in *workflowservice.DescribeWorkerDeploymentRequest) (*workflowservice.DescribeWorkerDeploymentResponse, error) {
	if in.GetDeploymentName() != "d" {
		return nil, serviceerror.ToStatus(serviceerror.NewNotFound("no such deployment")).Err()
	}
	info := &deploymentpb.WorkerDeploymentInfo{Name: "d"}
	for name, status := range f.drainage {
		info.VersionSummaries = append(info.VersionSummaries, &deploymentpb.WorkerDeploymentInfo_WorkerDeploymentVersionSummary{
			DeploymentVersion: versionOfD(name), DrainageStatus: status,
		})
	}
	return &workflowservice.DescribeWorkerDeploymentResponse{WorkerDeploymentInfo: info}, nil
}

// versionOfD is a build of deployment d; "" is none.
func versionOfD(name string) *deploymentpb.WorkerDeploymentVersion {
	if name == "" {
		return nil
	}
	return &deploymentpb.WorkerDeploymentVersion{DeploymentName: "d", BuildId: name}
}

// asking is a control worker of a build of deployment d; "" is one without.
func asking(name string) *taskqueuepb.PollerInfo {
	p := &taskqueuepb.PollerInfo{Identity: "w" + name, LastAccessTime: timestamppb.New(time.Now())}
	if name != "" {
		p.DeploymentOptions = &deploymentpb.WorkerDeploymentOptions{
			DeploymentName: "d", BuildId: name, WorkerVersioningMode: enumspb.WORKER_VERSIONING_MODE_VERSIONED,
		}
	}
	return p
}

// TestDoctorTellsVersionsApart: one that gets new tasks and does not listen is a fault, one that listens and gets none is worth
// knowing, and only one that never got any is offered to be promoted.
func TestDoctorTellsVersionsApart(t *testing.T) {
	t.Parallel()
	const isDraining, isDrained = enumspb.VERSION_DRAINAGE_STATUS_DRAINING, enumspb.VERSION_DRAINAGE_STATUS_DRAINED
	type drainages = map[string]enumspb.VersionDrainageStatus
	for name, tc := range map[string]struct {
		current, ramping string
		percentage       float32
		polls            []string
		drainage         drainages
		faults, remarks  []string // words of each, in its problem and advice
	}{
		"no versions":        {polls: []string{""}},
		"the current one":    {current: "b1", polls: []string{"b1"}},
		"one that drains":    {current: "b2", polls: []string{"b1", "b2"}, drainage: drainages{"b1": isDraining}, remarks: []string{"b1 of deployment d is draining; keep its control workers"}},
		"drains, nobody":     {current: "b2", polls: []string{"b2"}, drainage: drainages{"b1": isDraining}, faults: []string{"b1 of deployment d is draining, and no control worker; TEMPORAL_WORKER_BUILD_ID=b1"}},
		"drained, nobody":    {current: "b2", polls: []string{"b2"}, drainage: drainages{"b1": isDrained, "b2": isDraining}},
		"one that is empty":  {current: "b2", polls: []string{"b1", "b2"}, drainage: drainages{"b1": isDrained}, remarks: []string{"b1 of deployment d is drained; can be stopped"}},
		"a new one":          {current: "b1", polls: []string{"b1", "b2"}, drainage: drainages{"b2": 0}, remarks: []string{"b2 of deployment d is not promoted; --deployment-name d --build-id b2"}},
		"one without":        {current: "b1", polls: []string{"b1", ""}, remarks: []string{"without a version listen and get no new tasks; TEMPORAL_WORKER_BUILD_ID"}},
		"current, nobody":    {current: "b1", faults: []string{"no control worker:; serve --control", "b1 of deployment d gets all new tasks; set-current-version --deployment-name d --build-id <id>"}},
		"current is away":    {current: "b2", polls: []string{"b1"}, drainage: drainages{"b1": isDraining}, faults: []string{"b2 of deployment d gets all new tasks; start it again"}, remarks: []string{"b1 of deployment d is draining; keep"}},
		"none is current":    {polls: []string{"b2"}, faults: []string{"deployment d has no current version; --deployment-name d --build-id b2"}, remarks: []string{"b2 of deployment d is not promoted; b2"}},
		"none, a drained":    {polls: []string{"b1", "b2"}, drainage: drainages{"b1": isDrained}, faults: []string{"no current version; --build-id b2"}, remarks: []string{"drained; stopped", "not promoted; b2"}},
		"none, with others":  {polls: []string{"b2", ""}, remarks: []string{"b2 of deployment d is not promoted; b2"}},
		"a ramp":             {current: "b1", ramping: "b2", percentage: 30, polls: []string{"b1", "b2"}},
		"a ramp from none":   {ramping: "b2", percentage: 30, polls: []string{"", "b2"}},
		"a ramp, one half":   {ramping: "b2", percentage: 30, polls: []string{"b2"}, faults: []string{"who has no version gets 70 % of the new tasks; without TEMPORAL_WORKER_DEPLOYMENT_NAME"}},
		"a ramp to nobody":   {current: "b1", ramping: "b2", percentage: 30, polls: []string{"b1"}, faults: []string{"b2 of deployment d gets 30 % of the new tasks; set-ramping-version --deployment-name d --build-id b2 --percentage 0"}},
		"a ramp, done":       {current: "b1", ramping: "b2", percentage: 100, polls: []string{"b1", "b2"}},
		"a ramp that is off": {current: "b1", ramping: "b2", polls: []string{"b1"}},
		"a ramp to none":     {current: "b1", percentage: 10, polls: []string{"b1", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			temporal := &frontend{pollers: map[string][]*taskqueuepb.PollerInfo{}, drainage: tc.drainage, handing: &taskqueuepb.TaskQueueVersioningInfo{
				CurrentDeploymentVersion: versionOfD(tc.current), RampingDeploymentVersion: versionOfD(tc.ramping), RampingVersionPercentage: tc.percentage,
			}}
			for _, name := range tc.polls {
				temporal.pollers[workflows.ControlQueue] = append(temporal.pollers[workflows.ControlQueue], asking(name))
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			seen := healthy(nil)
			if err := seen.lookAtTemporal(ctx, client.Options{HostPort: temporal.serve(t), Namespace: "default", Logger: log.NewStructuredLogger(silent())}, nil); err != nil {
				t.Fatal(err)
			}
			for what, list := range map[string]struct {
				got  []finding
				want []string
			}{"faults": {diagnose(seen), tc.faults}, "remarks": {remarks(seen), tc.remarks}} {
				if len(list.got) != len(list.want) {
					t.Errorf("%s: %+v, want %q", what, list.got, list.want)
					continue
				}
				for i, want := range list.want {
					problem, advice, _ := strings.Cut(want, "; ")
					if f := list.got[i]; !strings.Contains(f.Problem, problem) || !strings.Contains(f.Advice, advice) {
						t.Errorf("%s: %+v, want %q", what, f, want)
					}
				}
			}
		})
	}
}

// TestDoctorLooksOnWhereADeploymentCanNotBeSeen: what is wrong with the versions hides neither the roles nor the clocks.
func TestDoctorLooksOnWhereADeploymentCanNotBeSeen(t *testing.T) {
	t.Parallel()
	lost := asking("b1")
	lost.DeploymentOptions.DeploymentName = "elsewhere"
	temporal := &frontend{
		drainage: map[string]enumspb.VersionDrainageStatus{"b1": enumspb.VERSION_DRAINAGE_STATUS_DRAINING},
		handing:  &taskqueuepb.TaskQueueVersioningInfo{CurrentDeploymentVersion: versionOfD("b2")},
		pollers:  map[string][]*taskqueuepb.PollerInfo{workflows.ControlQueue: {lost, asking("b1"), asking("b2")}},
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var seen examination
	opts := client.Options{HostPort: temporal.serve(t), Namespace: "default", Logger: log.NewStructuredLogger(silent())}
	err := seen.lookAtTemporal(ctx, opts, []sdk.Role{sdk.RoleCoder})
	if err == nil || !strings.Contains(err.Error(), "deployment elsewhere") {
		t.Errorf("answered %v", err)
	}
	if len(seen.Roles) != 1 || seen.Temporal.Clock == nil || seen.Temporal.Fairness == "" {
		t.Errorf("looked at %+v", seen)
	}
	if n := len(seen.Versions); n != 3 || seen.Versions[1].Drainage != draining {
		t.Errorf("versions %+v", seen.Versions)
	}
}
