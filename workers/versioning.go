package workers

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

const (
	promoteLeast = 100 * time.Millisecond // between two looks at the deployment, at first
	promoteMost  = 5 * time.Second
	promoteSay   = time.Second // a wait this long is said in the log
	promoteTry   = 5 * time.Second
)

// deployment is what there is to ask of the deployment that a control worker is a version of.
type deployment interface {
	Describe(ctx context.Context, opts client.WorkerDeploymentDescribeOptions) (client.WorkerDeploymentDescribeResponse, error)
	SetCurrentVersion(
		ctx context.Context, opts client.WorkerDeploymentSetCurrentVersionOptions,
	) (client.WorkerDeploymentSetCurrentVersionResponse, error)
}

// promoteFirst makes this version the deployment's current one when there is none yet: without one every run waits for ever. A
// deployment that has a current version is left alone, so that an old replica which starts late does not turn it back. It looks
// until that is settled, ctx ends, the worker fails for good, or Temporal gives an answer that waiting does not mend.
func (c ControlConfig) promoteFirst(ctx context.Context, d deployment, fatal <-chan error) error {
	for wait, said := promoteLeast, ""; ; wait = min(2*wait, promoteMost) {
		done, err := c.promote(ctx, d)
		if done {
			return nil
		}
		reason, final := promoteFault(err)
		if final {
			return fmt.Errorf("cannot make build %q current in deployment %q: %s: %w", c.BuildID, c.DeploymentName, reason, err)
		}
		if reason != said && wait >= promoteSay && ctx.Err() == nil {
			c.Logger.Warn("this build is not yet its deployment's current version and no run begins before: "+reason,
				"deployment", c.DeploymentName, "build", c.BuildID, "error", err)
			said = reason
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-fatal:
			return stoppedBy(err)
		case <-time.After(wait):
		}
	}
}

// promote is one look; done means that the deployment has a current version.
func (c ControlConfig) promote(ctx context.Context, d deployment) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, promoteTry)
	defer cancel()
	got, err := d.Describe(ctx, client.WorkerDeploymentDescribeOptions{})
	if err != nil {
		return false, err
	}
	if current := got.Info.RoutingConfig.CurrentVersion; current != nil {
		if current.BuildID != c.BuildID {
			c.Logger.Warn("this build is not its deployment's current version and gets no new runs until it is promoted",
				"deployment", c.DeploymentName, "build", c.BuildID, "current", current.BuildID)
		}
		return true, nil
	}
	_, err = d.SetCurrentVersion(ctx, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: c.BuildID, ConflictToken: got.ConflictToken})
	if err != nil {
		return false, err
	}
	c.Logger.Info("made this build the deployment's first current version", "deployment", c.DeploymentName, "build", c.BuildID)
	return true, nil
}

// promoteFault says in words why a look settled nothing; final is what waiting does not mend.
func promoteFault(err error) (reason string, final bool) {
	switch {
	case is[*serviceerror.PermissionDenied](err):
		return "these credentials may not do that; let somebody else promote it once (temporal worker deployment set-current-version)", true
	case is[*serviceerror.InvalidArgument](err):
		return "Temporal refuses the names (TEMPORAL_WORKER_DEPLOYMENT_NAME, TEMPORAL_WORKER_BUILD_ID)", true
	case is[*serviceerror.Unimplemented](err):
		return "this Temporal server knows no worker deployments; unset TEMPORAL_WORKER_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID, or update it", true
	case is[*serviceerror.NotFound](err), is[*serviceerror.FailedPrecondition](err):
		return "Temporal has not seen it poll yet, or another replica changes the deployment", false
	default:
		return "Temporal does not answer", false
	}
}
