package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestDoctorThroughADeployment deploys a second version of the control worker beside the first one, with a run on that: what the
// documentation asks for is no fault at any step, and what takes tasks away is one.
func TestDoctorThroughADeployment(t *testing.T) {
	t.Parallel()
	s := newScene(t, dev.ForTest(t, dev.Options{Env: []string{"TEMPORAL_WORKER_DEPLOYMENT_NAME=d", "TEMPORAL_WORKER_BUILD_ID=b1"}}))
	open, err := s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeResearchCodebase, Title: "a run on b1"})
	s.do(err)
	s.doctorSays("the first version", 0, "")

	path, err := dev.Build(t.Context(), dev.Rolecall)
	s.do(err)
	second, err := s.stack.Start(t.Context(), dev.Command{
		Name: "second", Path: path, Args: []string{"serve", "--control"}, Env: []string{"TEMPORAL_WORKER_BUILD_ID=b2"},
	})
	s.do(err)
	s.doctorSays("a second one", 0, "b2 of deployment d is not promoted")

	deployment := s.stack.Temporal().WorkerDeploymentClient().GetHandle("d")
	_, err = deployment.SetRampingVersion(t.Context(), client.WorkerDeploymentSetRampingVersionOptions{BuildID: "b2", Percentage: 30})
	s.do(err)
	s.doctorSays("a ramp", 0, "")
	_, err = deployment.SetCurrentVersion(t.Context(), client.WorkerDeploymentSetCurrentVersionOptions{BuildID: "b2"})
	s.do(err)
	s.doctorSays("its promotion", 0, "b1 of deployment d is draining")

	s.do(second.Stop(t.Context()))
	s.doctorSays("its end", 1, "b2 of deployment d gets all new tasks")
	s.cancel(open.ID)
}

// doctorSays waits until doctor ends with a code and says of the versions just this; empty is nothing.
func (s *scene) doctorSays(what string, code int, want string) {
	s.t.Helper()
	env := []string{"EVENTS_SERVICE_URL=" + s.stack.URL(), "PROJECT_ID=none", "TEMPORAL_ADDRESS=" + s.stack.TemporalAddr()}
	s.eventually(what, patience, func() error {
		out, err := cli(s.t, env, "doctor", "--json")
		ended := 0
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			ended = e.ExitCode()
		}
		var said struct {
			Findings, Remarks []struct{ Problem, Advice string }
		}
		if err := json.Unmarshal([]byte(out), &said); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		all := said.Findings
		for _, r := range said.Remarks {
			if strings.Contains(r.Problem, "version") {
				all = append(all, r)
			}
		}
		told := ""
		for _, one := range all {
			told += one.Problem
		}
		if ended != code || told == "" != (want == "") || !strings.Contains(told, want) {
			return fmt.Errorf("doctor ends with %d and says %q, want %q", ended, all, want)
		}
		return nil
	})
}
