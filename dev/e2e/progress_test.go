package e2e_test

import (
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/dev"
)

// eventsOfASignal is what one progress signal adds to a history: itself, a workflow task of three events, and that its event was
// published. The test of a day in package workers counts with it.
const eventsOfASignal = 5

// eventsOfARun is the most a run of one successful attempt has beside its progress signals: 11 of a workflow with one activity,
// five for the signal that the handler runs, the entries in the search attributes, and three of its other events.
const eventsOfARun = 23

func TestProgressIsThrottledOnItsWayIntoHistory(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{})
	created := s.delegate(script{"*": {"flood:6000", "progress:77", `result:{"ok":true}`}}) // a report every 10 ms
	task := s.ended(created.ID)
	wantChain(t, task, "0.1 completed")
	if p := task.Progress; p == nil || p.Percentage != 77 || p.Phase != "playing" || p.Overall != 99 {
		t.Errorf("the last progress is %+v, want the last one reported", p)
	}
	recorded, err := s.client.Progress(t.Context(), task.ID)
	s.do(err)
	events, later := s.events(task.ID)
	all := 0
	for _, n := range events {
		all += n
	}
	signals := events[enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED] - 1 // one says that the handler runs
	if signals < 5 || signals > 9 {
		t.Errorf("%d progress signals in 6 s, want about one a second", signals)
	}
	if most := eventsOfARun + signals*eventsOfASignal; all-3*later > most { // each has the run woken
		t.Errorf("%d events with %d progress signals, want at most %d: %v", all, signals, most, events)
	}
	if last := recorded[len(recorded)-1]; last.Percentage != 77 {
		t.Errorf("of %d recorded progresses the last is %+v", len(recorded), last)
	}
	t.Logf("%d events, %d of them progress signals; without these and their workflow tasks %d", all, signals, all-signals*eventsOfASignal)
}
