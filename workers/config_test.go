package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestValidateNamesEveryFault(t *testing.T) {
	t.Parallel()
	err := Config{
		Project: "Not.Valid", Roles: []sdk.Role{"coder", "coder", "Bad Role"}, AgentID: "a.b", Slots: -1, DrainGrace: 2 * time.Hour,
	}.Validate()
	for _, want := range []string{`"Not.Valid"`, `"coder": is named twice`, `"Bad Role"`, `"a.b"`, "slots -1", "2h0m0s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
	if err := (Config{}).Validate(); err == nil || !strings.Contains(err.Error(), "at least one role") {
		t.Errorf("no roles: %v", err)
	}
	if err := (Config{Roles: []sdk.Role{"coder"}}).Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
}

func TestConfigFromEnv(t *testing.T) {
	t.Parallel()
	cfg, err := env.ParseAsWithOptions[Config](env.Options{Environment: map[string]string{
		"PROJECT_ID": "shop", "ROLECALL_ROLES": "coder,tester", "AGENT_ID": "ada", "ROLECALL_SLOTS": "4", "ROLECALL_ADDRESSABLE": "true",
		"ROLECALL_DRAIN_GRACE": "90s", "TEMPORAL_WORKER_DEPLOYMENT_NAME": "ignored",
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(cfg.Project, cfg.Roles, cfg.AgentID, cfg.Slots, cfg.Addressable, cfg.DrainGrace)
	if want := "shop[coder tester]ada4 true1m30s"; strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("read %s, want %s", got, want)
	}
	if cfg, err = env.ParseAsWithOptions[Config](env.Options{Environment: map[string]string{}}); err != nil || cfg.Project != "default" || cfg.Slots != 1 || cfg.DrainGrace != 30*time.Second {
		t.Errorf("defaults: %+v, %v", cfg, err)
	}
}

func TestQueues(t *testing.T) {
	t.Parallel()
	w := &roleWorker{cfg: Config{Project: "p", Roles: []sdk.Role{"coder", "tester"}, AgentID: "ada"}}
	if got := strings.Join(w.queues(), " "); got != "p.coder p.tester" {
		t.Errorf("queues %s", got)
	}
	w.cfg.Addressable = true
	if got := strings.Join(w.queues(), " "); got != "p.coder p.coder.ada p.tester p.tester.ada" {
		t.Errorf("queues of an addressable agent %s", got)
	}
}

func TestVersioningNeedsBothVariables(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cfg ControlConfig
		ok  bool
	}{
		"neither": {ControlConfig{}, true}, "both": {ControlConfig{DeploymentName: "d", BuildID: "b"}, true},
		"name only": {ControlConfig{DeploymentName: "d"}, false}, "build only": {ControlConfig{BuildID: "b"}, false},
	} {
		if err := tc.cfg.Validate(); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err := tc.cfg.Validate(); err == nil && tc.cfg.options(nil).DeploymentOptions.UseVersioning != (name == "both") {
			t.Errorf("%s: versioning is %t", name, name != "both")
		}
	}
	cfg, err := env.ParseAsWithOptions[ControlConfig](env.Options{Environment: map[string]string{"TEMPORAL_WORKER_BUILD_ID": "b"}})
	if err != nil || cfg.Validate() == nil {
		t.Errorf("read %+v, %v: want only one variable refused", cfg, err)
	}
}

func TestHowManyRunsAreCached(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]int{"": 10000, "200": 200, "0": 0, "-1": -1} {
		environment := map[string]string{}
		if said != "" {
			environment["ROLECALL_CONTROL_CACHED_RUNS"] = said
		}
		cfg, err := env.ParseAsWithOptions[ControlConfig](env.Options{Environment: environment})
		if err != nil || cfg.CachedRuns != want || (cfg.Validate() == nil) != (want >= 0) {
			t.Errorf("%q: read %d, %v; %v", said, cfg.CachedRuns, err, cfg.Validate())
		}
	}
}

func TestTemporalFromEnv(t *testing.T) {
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
	t.Setenv("TEMPORAL_ADDRESS", "")
	t.Setenv("TEMPORAL_NAMESPACE", "")
	opts, err := TemporalFromEnv()
	if err != nil || opts.HostPort != "127.0.0.1:7233" || opts.Namespace != "default" {
		t.Errorf("defaults: %s %s, %v", opts.HostPort, opts.Namespace, err)
	}
	t.Setenv("TEMPORAL_ADDRESS", "temporal.example:7233")
	t.Setenv("TEMPORAL_NAMESPACE", "agents")
	opts, err = TemporalFromEnv()
	if err != nil || opts.HostPort != "temporal.example:7233" || opts.Namespace != "agents" {
		t.Errorf("read %s %s, %v", opts.HostPort, opts.Namespace, err)
	}
}

func TestDialSaysWhatItWaitsForAndGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	const address = "127.0.0.1:1" // nobody listens there
	said := make(lines, 16)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := Dial(ctx, client.Options{HostPort: address}, slog.New(slog.NewTextHandler(said, nil)))
		done <- err
	}()
	if line := <-said; !strings.Contains(line, "cannot be reached at "+address) {
		t.Errorf("the log says %q", line)
	}
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("Dial = %v", err)
	}
}

func TestReadReply(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		want reply
	}{
		{nil, replyOK},
		{serviceerror.NewNotFound("x"), replyGone},
		{fmt.Errorf("wrapped: %w", serviceerror.NewNotFound("x")), replyGone},
		{serviceerror.NewInvalidArgument("x"), replyRefused},
		{errors.New("unable to encode"), replyRefused},
		{serviceerror.NewUnavailable("x"), replyUnknown},
		{serviceerror.NewDeadlineExceeded("x"), replyUnknown},
		{serviceerror.NewResourceExhausted(0, "x"), replyUnknown},
		{status.Error(codes.Unauthenticated, "x"), replyUnknown},
	} {
		if got := readReply(tc.err); got != tc.want {
			t.Errorf("readReply(%v) = %d, want %d", tc.err, got, tc.want)
		}
	}
}

// lines is a log that hands out its lines; what nobody takes is dropped.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}
