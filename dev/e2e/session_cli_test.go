package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestSessionOnTheCommandLine holds a session with the program alone.
func TestSessionOnTheCommandLine(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{})
	env := []string{"EVENTS_SERVICE_URL=" + s.stack.URL(), "PROJECT_ID=" + s.project}
	rolecall := func(args ...string) (string, error) { return cli(t, env, append([]string{"session"}, args...)...) }
	out, err := rolecall("open", "--tier", "hybrid", "--json")
	s.do(err)
	var session sdk.Session
	s.do(json.Unmarshal([]byte(out), &session))
	if session.CostTier != sdk.TierHybrid || session.Status != sdk.SessionOpen {
		t.Errorf("opened %s", out)
	}
	out, err = rolecall("send", session.ID, s.told(script{"*": {"progress:40", `result:"done"`}}), "--follow")
	if err != nil || !strings.Contains(out, "completed after") || !strings.Contains(out, `"done"`) {
		t.Errorf("sent: %s %v", out, err)
	}
	if out, err = rolecall("send", session.ID, s.told(script{"*": {"fail:broken:final"}})); err == nil || !strings.Contains(out, "broken: as the script says") {
		t.Errorf("a task that fails: %s %v", out, err)
	}
	if _, err = rolecall("send", session.ID, "do"); err == nil || !strings.Contains(err.Error(), "$.prompt") {
		t.Errorf("a prompt of two characters: %v", err)
	}
	if out, err = rolecall("close", session.ID); err != nil || !strings.Contains(out, "requested") {
		t.Errorf("closed: %s %v", out, err)
	}
	if _, err = rolecall("send", session.ID, "do it"); err == nil || !strings.Contains(err.Error(), "conflict") {
		t.Errorf("a closed session: %v", err)
	}
	out, err = rolecall("watch", session.ID)
	s.do(err)
	for _, says := range []string{"session " + session.ID + ": hybrid", "execute begins: Do as it says.", "execute done after", "execute failed: as the script says", "closed"} {
		if !strings.Contains(out, says) {
			t.Errorf("watch does not say %q:\n%s", says, out)
		}
	}
}
