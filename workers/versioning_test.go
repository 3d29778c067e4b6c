package workers

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

// fakeDeployment answers as it is told and counts.
type fakeDeployment struct {
	current  *worker.WorkerDeploymentVersion
	describe func(look int) error
	promote  error
	looks    []time.Time
	promoted []string
}

func (d *fakeDeployment) Describe(context.Context, client.WorkerDeploymentDescribeOptions) (got client.WorkerDeploymentDescribeResponse, err error) {
	d.looks = append(d.looks, time.Now())
	if d.describe != nil {
		err = d.describe(len(d.looks))
	}
	got.ConflictToken, got.Info.RoutingConfig.CurrentVersion = []byte("token"), d.current
	return got, err
}

func (d *fakeDeployment) SetCurrentVersion(
	_ context.Context, opts client.WorkerDeploymentSetCurrentVersionOptions,
) (got client.WorkerDeploymentSetCurrentVersionResponse, err error) {
	d.promoted = append(d.promoted, opts.BuildID+" "+string(opts.ConflictToken))
	return got, d.promote
}

func versionOne(log lines) ControlConfig {
	return ControlConfig{DeploymentName: "rolecall", BuildID: "1", Logger: slog.New(slog.NewTextHandler(log, nil))}
}

func TestTheFirstVersionIsPromotedOnceItHasPolled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDeployment{describe: func(look int) error {
			if look < 3 {
				return serviceerror.NewNotFound("no such deployment")
			}
			return nil
		}}
		said := make(lines, 16)
		if err := versionOne(said).promoteFirst(t.Context(), d, nil); err != nil {
			t.Error(err)
		}
		if len(d.promoted) != 1 || d.promoted[0] != "1 token" {
			t.Errorf("promoted %v", d.promoted)
		}
		if line := <-said; len(said) > 0 || !strings.Contains(line, "first current version") {
			t.Errorf("a quick start says %q and %d lines more", line, len(said))
		}
	})
}

func TestALaterVersionIsNotPromoted(t *testing.T) {
	t.Parallel()
	said := make(lines, 16)
	d := &fakeDeployment{current: &worker.WorkerDeploymentVersion{DeploymentName: "rolecall", BuildID: "2"}}
	if err := versionOne(said).promoteFirst(t.Context(), d, nil); err != nil || len(d.promoted) > 0 {
		t.Errorf("%v, promoted %v", err, d.promoted)
	}
	if line := <-said; !strings.Contains(line, "current=2") {
		t.Errorf("the log says %q", line)
	}
}

func TestPromotionBacksOffAndSaysOnceWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDeployment{describe: func(int) error { return serviceerror.NewUnavailable("nothing listens") }}
		said := make(lines, 16)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if err := versionOne(said).promoteFirst(ctx, d, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("promoteFirst = %v", err)
		}
		if most := 10*60/5 + 10; len(d.looks) > most || len(d.looks) < most/2 {
			t.Errorf("%d looks in ten minutes, want about %d", len(d.looks), most)
		}
		if quick := d.looks[3].Sub(d.looks[0]); quick > time.Second {
			t.Errorf("the fourth look comes after %s", quick)
		}
		if line := <-said; len(said) > 0 || !strings.Contains(line, "Temporal does not answer") {
			t.Errorf("the log says %q and %d lines more", line, len(said))
		}
	})
}

func TestPromotionEndsWithTheWorker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDeployment{describe: func(int) error { return serviceerror.NewNotFound("no such deployment") }}
		fatal, broken := make(chan error, 1), errors.New("the worker is broken")
		time.AfterFunc(time.Minute, func() { fatal <- broken })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := versionOne(make(lines, 1)).promoteFirst(ctx, d, fatal); !errors.Is(err, broken) {
			t.Errorf("promoteFirst = %v, want what broke the worker", err)
		}
	})
}

func TestPromotionEndsWhereWaitingDoesNotHelp(t *testing.T) {
	t.Parallel()
	for hint, fault := range map[string]error{
		"credentials":                           serviceerror.NewPermissionDenied("no", ""),
		"unset TEMPORAL_WORKER_DEPLOYMENT_NAME": serviceerror.NewUnimplemented("unknown method"),
		"refuses the names":                     serviceerror.NewInvalidArgument("too long"),
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			described := &fakeDeployment{describe: func(int) error { return fault }}
			for _, d := range []*fakeDeployment{described, {promote: fault}} {
				if err := versionOne(make(lines, 1)).promoteFirst(ctx, d, nil); !errors.Is(err, fault) || !strings.Contains(err.Error(), hint) {
					t.Errorf("promoteFirst = %v, want one that says %q", err, hint)
				}
			}
		})
	}
}
