package workers

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

const promoteEvery = 100 * time.Millisecond

// promoteFirst makes this version the deployment's current one when there is none yet: without one every run waits for ever. A
// deployment that has a current version is left alone, so that an old replica which starts late does not turn it back.
func (c ControlConfig) promoteFirst(ctx context.Context, tc client.Client) error {
	handle := tc.WorkerDeploymentClient().GetHandle(c.DeploymentName)
	for {
		done, err := c.promote(ctx, handle)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(promoteEvery):
		}
	}
}

// promote is one look; done is false while Temporal has not yet seen this version poll.
func (c ControlConfig) promote(ctx context.Context, handle client.WorkerDeploymentHandle) (done bool, err error) {
	got, err := handle.Describe(ctx, client.WorkerDeploymentDescribeOptions{})
	if err != nil {
		return false, c.promoteFault(err)
	}
	if current := got.Info.RoutingConfig.CurrentVersion; current != nil {
		if current.BuildID != c.BuildID {
			c.Logger.Warn("this build is not its deployment's current version and gets no new runs until it is promoted",
				"deployment", c.DeploymentName, "build", c.BuildID, "current", current.BuildID)
		}
		return true, nil
	}
	_, err = handle.SetCurrentVersion(ctx, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: c.BuildID, ConflictToken: got.ConflictToken})
	if err != nil {
		return false, c.promoteFault(err)
	}
	c.Logger.Info("made this build the deployment's first current version", "deployment", c.DeploymentName, "build", c.BuildID)
	return true, nil
}

// promoteFault is nil for what the next look may find mended: the first poll not yet seen, another replica first, Temporal away.
func (c ControlConfig) promoteFault(err error) error {
	if is[*serviceerror.PermissionDenied](err) {
		return fmt.Errorf("may not make build %q current in deployment %q: %w", c.BuildID, c.DeploymentName, err)
	}
	if is[*serviceerror.InvalidArgument](err) {
		return fmt.Errorf("cannot make build %q current in deployment %q: %w", c.BuildID, c.DeploymentName, err)
	}
	return nil
}
