package workflows_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/proto"

	"github.com/rolecall-dev/rolecall/workflows"
)

// Kept histories were recorded from a real server by `make histories`. Those under next are of the code as it stands and are
// recorded anew when it changes; those of a release are never touched again.
const kept = "testdata/histories"

// scenarios are what every release keeps a history of.
var scenarios = []string{
	"cancel", "capabilities", "delegate", "fallback", "input", "log-away", "log-away-events", "lost-worker", "retry", "success", "timeout",
	"plan-cancel", "plan-continue", "plan-plain", "plan-planning", "plan-rework", "plan-stop",
	"session-close", "session-fallback", "session-goes-on", "session-gone-on", "session-retry",
}

// histories reads the kept histories of one release.
func histories(t *testing.T, release string) map[string]*historypb.History {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(kept, release, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]*historypb.History{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		h, err := client.HistoryFromJSON(bytes.NewReader(raw), client.HistoryJSONOptions{})
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		read[strings.TrimSuffix(filepath.Base(file), ".json")] = h
	}
	return read
}

// replay replays a history as a worker does that has nothing of the run in its cache: the SDK's replayer always works without one.
func replay(t *testing.T, h *historypb.History) error {
	t.Helper()
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DataConverter: workflows.DataConverter()})
	if err != nil {
		t.Fatal(err)
	}
	workflows.Register(replayer)
	return replayer.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), h)
}

func TestKeptHistoriesReplay(t *testing.T) {
	t.Parallel()
	releases, err := os.ReadDir(kept)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(releases, func(e os.DirEntry) bool { return e.Name() == "next" }) {
		t.Fatalf("there are no histories of the code as it stands under %s/next", kept)
	}
	for _, release := range releases {
		all := histories(t, release.Name())
		for _, name := range scenarios {
			if all[name] == nil {
				t.Errorf("%s keeps no history of %s", release.Name(), name)
			}
		}
		for name, h := range all {
			t.Run(release.Name()+"/"+name, func(t *testing.T) {
				t.Parallel()
				if release.Name() == "next" && !slices.Contains(scenarios, name) {
					t.Error("is not in the list of scenarios")
				}
				if err := replay(t, h); err != nil {
					t.Errorf("as a whole: %v", err)
				}
				for n, e := range h.GetEvents() {
					if e.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED {
						continue
					}
					if err := replay(t, &historypb.History{Events: h.GetEvents()[:n+1]}); err != nil {
						t.Errorf("up to event %d, as a worker gets it that has lost its cache then: %v", n+1, err)
					}
				}
			})
		}
	}
}

// TestABadHistoryDoesNotReplay shows that the replay above can fail: each change is one that a change of the code could have made.
func TestABadHistoryDoesNotReplay(t *testing.T) {
	t.Parallel()
	good := histories(t, "next")["fallback"]
	if good == nil {
		t.Fatal("there is no history to spoil")
	}
	for name, spoil := range map[string]func(*historypb.HistoryEvent) bool{
		"another activity": func(e *historypb.HistoryEvent) bool {
			a := e.GetActivityTaskScheduledEventAttributes()
			if a != nil {
				a.ActivityType.Name = "ExecuteSomethingElse"
			}
			return a != nil
		},
		"another attempt": func(e *historypb.HistoryEvent) bool {
			a := e.GetActivityTaskScheduledEventAttributes()
			if a != nil {
				a.ActivityId = "7.7"
			}
			return a != nil
		},
		"a timer of another name": func(e *historypb.HistoryEvent) bool {
			a := e.GetTimerStartedEventAttributes()
			if a != nil {
				a.TimerId += "0"
			}
			return a != nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, ok := proto.Clone(good).(*historypb.History)
			if !ok || !slices.ContainsFunc(bad.GetEvents(), spoil) {
				t.Fatal("there was nothing to spoil")
			}
			if err := replay(t, bad); err == nil {
				t.Error("it replays")
			}
		})
	}
}
