package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/sdk/client"
)

// build is a version of a worker deployment; the zero value stands for workers without one.
type build struct{ deployment, build string }

// buildOf is the version of one who asks a queue for work.
func buildOf(p *taskqueuepb.PollerInfo) build {
	d := p.GetDeploymentOptions()
	if d.GetWorkerVersioningMode() != enumspb.WORKER_VERSIONING_MODE_VERSIONED {
		return build{}
	}
	return build{d.GetDeploymentName(), d.GetBuildId()}
}

// handing is how a queue shares out what is new: a percentage to the version that it is moved to, the rest to the current one.
type handing struct {
	current, ramping build
	percentage       float32
}

func handingOf(v *taskqueuepb.TaskQueueVersioningInfo) handing {
	current, ramping := v.GetCurrentDeploymentVersion(), v.GetRampingDeploymentVersion()
	return handing{
		current: build{current.GetDeploymentName(), current.GetBuildId()},
		ramping: build{ramping.GetDeploymentName(), ramping.GetBuildId()}, percentage: v.GetRampingVersionPercentage(),
	}
}

// share is the percentage of what is new that goes to a version.
func (h handing) share(b build) float32 {
	switch {
	case h.percentage > 0 && b == h.ramping && b == h.current:
		return 100
	case h.percentage > 0 && b == h.ramping:
		return h.percentage
	case b == h.current:
		return 100 - h.percentage
	default:
		return 0
	}
}

// How far a version that gets no new tasks any more is.
const (
	draining = "draining" // runs that began on it are open
	drained  = "drained"
)

// versionSeen is a version of the control workers that listens, that gets new tasks, or that is draining. One without a name is those without a version.
type versionSeen struct {
	Deployment string  `json:"deployment"`
	Build      string  `json:"build"`
	Polls      bool    `json:"polls"`
	Current    bool    `json:"current"`
	Share      float32 `json:"share"`              // the percentage of new tasks that it gets
	Drainage   string  `json:"drainage,omitempty"` // draining or drained; empty for one that gets new tasks, or never got any
}

func (v versionSeen) String() string {
	if v.Build == "" {
		return "control workers without a version"
	}
	return fmt.Sprintf("version %s of deployment %s", v.Build, v.Deployment)
}

// versionsOf are the versions of a queue; none where nothing has a version.
func versionsOf(q queueSeen) []versionSeen {
	all := slices.Clone(q.asking)
	for _, b := range []build{q.hands.current, q.hands.ramping} {
		if q.hands.share(b) > 0 && !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	if !slices.ContainsFunc(all, func(b build) bool { return b != build{} }) {
		return nil
	}
	var versions []versionSeen
	for _, b := range all {
		versions = append(versions, versionSeen{
			Deployment: b.deployment, Build: b.build, Polls: slices.Contains(q.asking, b), Current: b == q.hands.current, Share: q.hands.share(b),
		})
	}
	return versions
}

// withDrainage are the versions with how far those are that get no new tasks, and with those of the same deployments that are draining
// and that nobody runs. Of a deployment that can not be looked at they stay as they are, and the error says so.
func withDrainage(ctx context.Context, c client.Client, versions []versionSeen) ([]versionSeen, error) {
	var faults []error
	looked := map[string]bool{"": true}
	for _, v := range slices.Clone(versions) {
		if looked[v.Deployment] {
			continue
		}
		looked[v.Deployment] = true
		states, err := drainage(ctx, c, v.Deployment)
		if err != nil {
			faults = append(faults, fmt.Errorf("deployment %s: %w", v.Deployment, err))
			continue
		}
		versions = enterDrainage(versions, v.Deployment, states)
	}
	return versions, errors.Join(faults...)
}

func enterDrainage(versions []versionSeen, deployment string, states []buildState) []versionSeen {
	for _, s := range states {
		i := slices.IndexFunc(versions, func(v versionSeen) bool { return v.Deployment == deployment && v.Build == s.build })
		switch {
		case i < 0 && s.drainage == draining:
			versions = append(versions, versionSeen{Deployment: deployment, Build: s.build, Drainage: s.drainage})
		case i >= 0 && versions[i].Share == 0 && !versions[i].Current:
			versions[i].Drainage = s.drainage
		}
	}
	return versions
}

// buildState is how far a version of a deployment is: draining, drained, or empty for one that gets new tasks or never got any.
type buildState struct{ build, drainage string }

func drainage(ctx context.Context, c client.Client, deployment string) ([]buildState, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	got, err := c.WorkerDeploymentClient().GetHandle(deployment).Describe(ctx, client.WorkerDeploymentDescribeOptions{})
	if err != nil {
		return nil, err
	}
	var states []buildState
	for _, v := range got.Info.VersionSummaries {
		s := buildState{build: v.Version.BuildID}
		switch v.DrainageStatus {
		case client.WorkerDeploymentVersionDrainageStatusDraining:
			s.drainage = draining
		case client.WorkerDeploymentVersionDrainageStatusDrained:
			s.drainage = drained
		case client.WorkerDeploymentVersionDrainageStatusUnspecified:
		}
		states = append(states, s)
	}
	return states, nil
}

// versionFaults names who has tasks, new or old ones, and does not listen.
func versionFaults(versions []versionSeen) []finding {
	var found []finding
	add := func(problem, advice string) { found = append(found, finding{problem, advice}) }
	for _, v := range versions {
		gets := "gets all new tasks"
		if v.Share < 100 {
			gets = fmt.Sprintf("gets %.3g %% of the new tasks", v.Share)
		}
		other := firstListening(versions)
		switch {
		case v.Drainage == draining && !v.Polls:
			add(v.String()+" is draining, and no control worker of it listens: runs that began on it and are open do not go on",
				fmt.Sprintf("start one with TEMPORAL_WORKER_DEPLOYMENT_NAME=%s and TEMPORAL_WORKER_BUILD_ID=%s, until it is drained; where no such run is open, "+
					"Temporal says drained within some minutes", v.Deployment, v.Build))
		case v.Share == 0 || v.Polls:
		case v.Build == "" && v.Share == 100 && other != nil:
			add(fmt.Sprintf("deployment %s has no current version, and no control worker without a version listens: new tasks wait for ever", other.Deployment), promotion(*other))
		case v.Build == "":
			add("who has no version "+gets+", and no control worker without a version listens",
				"start one without TEMPORAL_WORKER_DEPLOYMENT_NAME, or promote a version with: temporal worker deployment set-current-version --deployment-name <name> --build-id <id>")
		case v.Current:
			add(fmt.Sprintf("%s %s, and no control worker of it listens", v, gets),
				fmt.Sprintf("start it again, or promote another with: temporal worker deployment set-current-version --deployment-name %s --build-id <id> (or --unversioned)", v.Deployment))
		default:
			add(fmt.Sprintf("%s %s, and no control worker of it listens", v, gets),
				fmt.Sprintf("start it again, or give it none with: temporal worker deployment set-ramping-version --deployment-name %s --build-id %s --percentage 0", v.Deployment, v.Build))
		}
	}
	return found
}

// firstListening is the version to promote where there is no current one: one that listens, best one that never got new tasks.
func firstListening(versions []versionSeen) *versionSeen {
	var found *versionSeen
	for i, v := range versions {
		if v.Polls && v.Build != "" && (found == nil || found.Drainage != "" && v.Drainage == "") {
			found = &versions[i]
		}
	}
	return found
}

// versionRemarks say why one listens who gets no new tasks.
func versionRemarks(versions []versionSeen) []finding {
	var found []finding
	for _, v := range versions {
		if !v.Polls || v.Current || v.Share > 0 {
			continue
		}
		text, advice := v.String()+" is not promoted: it listens and gets no new tasks", "when it is to take over, "+promotion(v)
		switch {
		case v.Build == "":
			text, advice = v.String()+" listen and get no new tasks", "keep them while runs that began without a version are open, or set TEMPORAL_WORKER_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID for them"
		case v.Drainage == draining:
			text, advice = v.String()+" is draining: runs that began on it are open", "keep its control workers until it is drained"
		case v.Drainage == drained:
			text, advice = v.String()+" is drained: no run that began on it is open", "its control workers can be stopped"
		}
		found = append(found, finding{text, advice})
	}
	return found
}

func promotion(v versionSeen) string {
	return fmt.Sprintf("promote it with: temporal worker deployment set-current-version --deployment-name %s --build-id %s", v.Deployment, v.Build)
}
