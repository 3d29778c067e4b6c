package engine

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestWhatIsPutOffIsSweptAgain: the last part is lost while the one before it goes on, and its end comes when that is over, however late.
func TestWhatIsPutOffIsSweptAgain(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	tell(t, l, 1, sdk.EventTaskCreated)
	o.lostPart(t, workflows.EventsPartID("p", "a", 1))
	closed := time.Now().Add(-time.Hour)
	o.ended.publishers, o.ended.closed = [][2]string{{workflows.EventsWorkflowID("p", "a"), "run-9"}}, timestamppb.New(closed)
	sweeping(t, o, l)
	o.swept(t, 3)
	if list, _ := story(t, l); len(list) != 1 {
		t.Errorf("while a part goes on the story is %q", list)
	}
	o.mu.Lock()
	if since, want := o.ended.since[len(o.ended.since)-1], ">= "+quote(closed.Add(-sweepAgain).UTC().Format(time.RFC3339Nano)); since != want {
		t.Errorf("while it is put off the sweep looks back to %s, want %s", since, want)
	}
	o.mu.Unlock()
	o.setPublisher(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED) // and no other part is left
	eventually(t, "the story's end", func() bool { list, _ := story(t, l); return len(list) == 2 })
	o.swept(t, 2)
	o.mu.Lock()
	defer o.mu.Unlock()
	if since, old := o.ended.since[len(o.ended.since)-1], ">= "+quote(closed.UTC().Format(time.RFC3339Nano)); since <= old {
		t.Errorf("after that it looks back to %s", since)
	}
}

// TestAStoryThatLacksItsCodeIsEnded: the log has its end and not what belongs to it.
func TestAStoryThatLacksItsCodeIsEnded(t *testing.T) {
	t.Parallel()
	for typ, want := range map[sdk.TaskType][]string{
		sdk.TypeCodeReview: {"1 task.created", "2 task.completed", "3 code.reviewed"},
		sdk.TypeAnalyze:    {"1 task.created", "2 task.completed"},
	} {
		for _, found := range []string{"swept", "read"} {
			t.Run(found+" "+string(typ), func(t *testing.T) {
				t.Parallel()
				o, l := newOneRun(t, input(func(r *sdk.TaskRequest) { r.Type = typ })), openLog(t)
				tell(t, l, 1, sdk.EventTaskCreated, sdk.EventTaskCompleted)
				record := done(t)
				record.Type = typ
				o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, record))
				if found == "swept" {
					o.setPublisher(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED)
					sweeping(t, o, l)
					o.swept(t, 3)
				} else {
					e := newTestEngine(t, o, Config{Events: l, SweepInterval: time.Hour, Logger: slog.New(slog.DiscardHandler)})
					if _, err := e.look(t.Context(), "p", "a"); err != nil {
						t.Fatal(err)
					}
					eventually(t, "the story's end", func() bool { _, over := e.stories.over.get("run-1"); return over })
				}
				list, last := story(t, l)
				if diff := cmp.Diff(want, list); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if len(want) > 2 && last.CausationID != "a.2" {
					t.Errorf("%+v", last)
				}
				if describes, _, _, _, _ := o.counts(); found == "read" && len(want) == 2 && describes != 1 {
					t.Errorf("%d describes for a story that is whole", describes)
				}
			})
		}
	}
}
