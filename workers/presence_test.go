package workers

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestTheWorkersHandlersAreWhatItSays: what a worker works on follows its handlers.
func TestTheWorkersHandlersAreWhatItSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		w := bench(t, &fakeTemporal{}, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			<-gate
			return &sdk.Result{}, nil
		})
		_, done := begin(w, sdk.Assignment{})
		synctest.Wait()
		if h := w.presence.Heartbeat(); h.Status != sdk.AgentBusy || !slices.Equal(h.CurrentTasks, []string{"t1"}) {
			t.Errorf("while it works: %+v", h)
		}
		close(gate)
		<-done
		if h := w.presence.Heartbeat(); h.Status != sdk.AgentIdle || h.CurrentTasks == nil || len(h.CurrentTasks) != 0 {
			t.Errorf("after that: %+v", h)
		}
	})
}

func TestRegistration(t *testing.T) {
	t.Parallel()
	cfg := Config{AgentID: "bob", Roles: []sdk.Role{"coder", "tester"}, Slots: 3, Addressable: true, Capabilities: []string{"go"}}.withDefaults()
	r := cfg.registration()
	if r.ID != "bob" || r.Name != "bob" || r.Role != "coder" || r.Slots != 3 || !r.Addressable || !slices.Equal(r.Capabilities, []string{"go"}) ||
		r.Metadata["roles"] != "coder,tester" || r.Validate() != nil {
		t.Errorf("%+v, %v", r, r.Validate())
	}
	cfg.Name, cfg.Roles = "Bob", cfg.Roles[:1]
	if r := cfg.registration(); r.Name != "Bob" || r.Metadata["roles"] != "" {
		t.Errorf("%+v", r)
	}
	cfg.Name, cfg.Capabilities, cfg.HeartbeatIntervalMs = "a\nb", []string{""}, 10
	for _, want := range []string{"ROLECALL_AGENT_NAME", "capabilities[0]", "AGENT_HEARTBEAT_INTERVAL"} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
}
