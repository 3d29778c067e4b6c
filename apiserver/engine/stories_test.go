package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// endedRuns is what visibility knows of runs that have ended: by workflow type, workflow id and run id.
type endedRuns struct {
	tasks, above, publishers [][2]string
	asked                    int
	since                    []string
	closed                   *timestamppb.Timestamp // when they ended
}

// ListWorkflowExecutions answers in pages of one.
func (s service) ListWorkflowExecutions(_ context.Context, in *workflowservice.ListWorkflowExecutionsRequest, _ ...grpc.CallOption) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	l := &s.run.ended
	const outside = " AND ExecutionStatus IN ('Terminated', 'TimedOut') AND CloseTime >= '"
	found := l.publishers
	switch query := in.GetQuery(); {
	case strings.HasPrefix(query, "WorkflowType = 'Task'"+outside):
		found = l.tasks
	case strings.HasPrefix(query, "WorkflowType IN ('Session', 'Plan')"+outside):
		found = l.above
	}
	at := len(in.GetNextPageToken())
	if at == 0 {
		l.asked++
		l.since = append(l.since, in.GetQuery()[strings.LastIndex(in.GetQuery(), ">= "):])
	}
	out := &workflowservice.ListWorkflowExecutionsResponse{}
	if at < len(found) {
		out.Executions = []*workflowpb.WorkflowExecutionInfo{{Execution: &commonpb.WorkflowExecution{WorkflowId: found[at][0], RunId: found[at][1]}, CloseTime: l.closed}}
	}
	if at+1 < len(found) {
		out.NextPageToken = bytes.Repeat([]byte{1}, at+1)
	}
	return out, nil
}

// publisher makes the run's publishing child one of this status.
func (o *oneRun) setPublisher(status enumspb.WorkflowExecutionStatus) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.child = &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: workflows.EventsWorkflowID("p", "a")}, Status: status, CloseTime: timestamppb.New(at(61)),
	}}
	o.ended.publishers = [][2]string{{"events:else", "x"}, {workflows.EventsWorkflowID("p", "a"), "run-9"}}
}

// story is what the log has of the task a: "seq type", and the data of the last one.
func story(t *testing.T, l *eventlog.Log) (list []string, last sdk.Event) {
	t.Helper()
	of := eventlog.Story{Kind: eventlog.KindTask, ID: "a"}
	page, err := l.Read(t.Context(), "p", eventlog.Query{Filter: eventlog.Filter{Story: &of}, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	list = []string{}
	for _, r := range page.Records {
		if last, err = r.Event(); err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%d %s", last.Seq, last.Type))
	}
	return list, last
}

// sweeping is an engine that sweeps all the time.
func sweeping(t *testing.T, o *oneRun, l *eventlog.Log) {
	t.Helper()
	newTestEngine(t, o, Config{Events: l, SweepInterval: 5 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
}

func (o *oneRun) swept(t *testing.T, times int) {
	t.Helper()
	o.mu.Lock()
	before := o.ended.asked
	o.mu.Unlock()
	eventually(t, "some sweeps", func() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.ended.asked >= before+3*times })
}

// TestATerminatedRunsStoryIsEnded though nobody reads the task, once by all servers together.
func TestATerminatedRunsStoryIsEnded(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	o.setState(t, workflows.TaskState{Status: sdk.StatusQueued, Attempt: 1, AgentID: "ann", Attempts: []sdk.Attempt{{Attempt: 1, Model: "m", EndedAt: ptr(at(2))}}})
	tell(t, l, 1, sdk.EventTaskCreated, sdk.EventTaskAssigned, sdk.EventTaskProgress)
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
	o.ended.tasks = [][2]string{{"task:not ours", "x"}, {"task:p:gone", "run-7"}, {workflows.TaskWorkflowID("p", "a"), "run-1"}}
	for range 3 {
		sweeping(t, o, l)
	}
	want := []string{"1 task.created", "2 task.assigned", "3 task.progress", "4 task.failed"}
	eventually(t, "the story's end", func() bool { list, _ := story(t, l); return len(list) == len(want) })
	o.swept(t, 6)
	list, last := story(t, l)
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var ended sdk.TaskEnded
	if err := json.Unmarshal(last.Data, &ended); err != nil || ended.Error == nil || ended.Error.Code != sdk.CodeTerminated || ended.Status != sdk.StatusFailed ||
		ended.AgentID != "ann" || ended.Attempts != 1 || last.ID != "a.4" || last.Task != "a" || last.Organization != "o" || !last.Time.Equal(at(60)) {
		t.Errorf("%v: %+v with %s", err, last, last.Data)
	}
	if describes, _, _, _, firsts := o.counts(); firsts > 3 || describes > 2*3 { // those of the task p:gone among them
		t.Errorf("%d describes and %d first events for 3 servers", describes, firsts)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if first, later := o.ended.since[0], o.ended.since[len(o.ended.since)-1]; first >= later {
		t.Errorf("the first sweep looks back to %s, the last to %s", first, later)
	}
}

// TestWhatAReaderMeetsIsEnded without a sweep.
func TestWhatAReaderMeetsIsEnded(t *testing.T) {
	t.Parallel()
	for _, status := range []enumspb.WorkflowExecutionStatus{enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT} {
		o, l := newOneRun(t, input()), openLog(t)
		shown := prometheus.NewRegistry()
		e := newTestEngine(t, o, Config{Events: l, SweepInterval: time.Hour, Metrics: shown, Before: func(e sdk.Event) sdk.Event {
			e.Agent = "passed"
			return e
		}})
		tell(t, l, 1, sdk.EventTaskCreated)
		o.end(status, nil)
		task, err := e.GetTask(t.Context(), "p", "a")
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the story's end", func() bool { list, _ := story(t, l); return len(list) == 2 })
		_, last := story(t, l)
		if want := workflows.TerminalEvent(workflows.TaskInput{Project: "p", Organization: "o", ID: "a"}, task, 2); last.Agent != "passed" || string(last.Data) != string(want.Data) {
			t.Errorf("%s: %s by %s, want %s", status, last.Data, last.Agent, want.Data)
		}
		eventually(t, "the count", func() bool {
			families, err := shown.Gather()
			return err == nil && slices.ContainsFunc(families, func(f *dto.MetricFamily) bool {
				return f.GetName() == "rolecall_stories_ended_total" && f.GetMetric()[0].GetCounter().GetValue() == 1
			})
		})
	}
}

// TestAStorysEndThatGrowsByRedaction is written without its data: it would be refused for ever.
func TestAStorysEndThatGrowsByRedaction(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	e := newTestEngine(t, o, Config{Events: l, SweepInterval: time.Hour, Before: func(e sdk.Event) sdk.Event {
		e.Data = json.RawMessage(`"` + strings.Repeat("x", 2*sdk.MaxEventData) + `"`)
		return e
	}})
	tell(t, l, 1, sdk.EventTaskCreated)
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
	if _, err := e.GetTask(t.Context(), "p", "a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the story's end", func() bool { list, _ := story(t, l); return len(list) == 2 })
	if _, last := story(t, l); last.Type != sdk.EventTaskFailed || last.Data != nil || last.Dropped != sdk.CodePayloadTooLarge {
		t.Errorf("%s, dropped %q, %d bytes", last.Type, last.Dropped, len(last.Data))
	}
}

// TestStoriesThatNeedNoEndGetNone.
func TestStoriesThatNeedNoEndGetNone(t *testing.T) {
	t.Parallel()
	terminated := func(o *oneRun) {
		o.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
		o.ended.tasks = [][2]string{{workflows.TaskWorkflowID("p", "a"), "run-1"}}
	}
	for name, tc := range map[string]struct {
		told []sdk.EventType
		set  func(t *testing.T, o *oneRun)
	}{
		"one that has ended":        {[]sdk.EventType{sdk.EventTaskCreated, sdk.EventTaskCancelled}, func(_ *testing.T, o *oneRun) { terminated(o) }},
		"one with something beyond": {[]sdk.EventType{sdk.EventTaskCompleted, sdk.EventCodeReviewed}, func(_ *testing.T, o *oneRun) { terminated(o) }},
		"an earlier run of the workflow": {[]sdk.EventType{sdk.EventTaskCreated}, func(_ *testing.T, o *oneRun) {
			o.ended.tasks = [][2]string{{workflows.TaskWorkflowID("p", "a"), "run-0"}}
		}},
		"one that is being published": {[]sdk.EventType{sdk.EventTaskCreated}, func(t *testing.T, o *oneRun) {
			o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
			o.setPublisher(enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING)
		}},
		"one whose run still goes on": {[]sdk.EventType{sdk.EventTaskCreated}, func(_ *testing.T, o *oneRun) { o.setPublisher(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED) }},
		"one that has just ended": {[]sdk.EventType{sdk.EventTaskCreated}, func(t *testing.T, o *oneRun) {
			o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
			o.setPublisher(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED)
			o.run.WorkflowExecutionInfo.CloseTime = timestamppb.Now()
		}},
		"one of which nothing was ever told, though it ended by itself": {nil, func(t *testing.T, o *oneRun) {
			o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
			o.setPublisher(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, l := newOneRun(t, input()), openLog(t)
			if len(tc.told) > 0 {
				tell(t, l, 1, tc.told...)
			}
			tc.set(t, o)
			sweeping(t, o, l)
			o.swept(t, 3)
			if list, _ := story(t, l); len(list) != len(tc.told) {
				t.Errorf("the story is %q", list)
			}
		})
	}
}

// TestAStoryThatItsPublisherDidNotFinishIsEnded: what the run has left behind is what its story ends with.
func TestAStoryThatItsPublisherDidNotFinishIsEnded(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	tell(t, l, 1, sdk.EventTaskCreated)
	record := done(t)
	record.Type, record.Result.Output = sdk.TypeCodeWrite, json.RawMessage(`{"ok":true}`)
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, record))
	o.setPublisher(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED)
	sweeping(t, o, l)
	eventually(t, "the story's end", func() bool { list, _ := story(t, l); return len(list) > 1 })
	o.swept(t, 2)
	list, last := story(t, l)
	if diff := cmp.Diff([]string{"1 task.created", "2 task.completed", "3 code.generated"}, list); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if last.CausationID != "a.2" || string(last.Data) != `{"taskId":"a","output":{"ok":true}}` {
		t.Errorf("%+v with %s", last, last.Data)
	}
}

// lostPart makes part 2 of the run's last events one that nobody publishes any more, while the run with this id goes on.
func (o *oneRun) lostPart(t *testing.T, goesOn string) {
	t.Helper()
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
	o.setPublisher(enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING)
	o.child.WorkflowExecutionInfo.Execution.WorkflowId = goesOn
	o.ended.publishers = [][2]string{{workflows.EventsPartID("p", "a", 2), "run-9"}}
}

// TestWhatWaitsForALostPartDoesNotKeepAStoryOpen, and what is before it does.
func TestWhatWaitsForALostPartDoesNotKeepAStoryOpen(t *testing.T) {
	t.Parallel()
	for goesOn, want := range map[string]int{workflows.EventsWorkflowID("p", "a"): 2, workflows.EventsPartID("p", "a", 1): 1} {
		o, l := newOneRun(t, input()), openLog(t)
		tell(t, l, 1, sdk.EventTaskCreated)
		o.lostPart(t, goesOn)
		sweeping(t, o, l)
		o.swept(t, 3)
		if list, _ := story(t, l); len(list) != want {
			t.Errorf("while %s goes on the story is %q", goesOn, list)
		}
	}
}

// TestAStoryWhoseEndIsLostIsEnded when somebody reads the task, once nobody publishes it any more; after that nobody looks again.
func TestAStoryWhoseEndIsLostIsEnded(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	e := newTestEngine(t, o, Config{Events: l, SweepInterval: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	tell(t, l, 1, sdk.EventTaskCreated)
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
	o.setPublisher(enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING)
	read := func() {
		t.Helper()
		if _, err := e.look(t.Context(), "p", "a"); err != nil {
			t.Fatal(err)
		}
	}
	read()
	eventually(t, "a look at the run", func() bool { describes, _, _, _, _ := o.counts(); return describes == 2 })
	if list, _ := story(t, l); len(list) != 1 {
		t.Fatalf("while it is published the story is %q", list)
	}
	o.setPublisher(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	over := func() bool { _, ok := e.stories.over.get("run-1"); return ok }
	eventually(t, "the story's end", func() bool { read(); return over() })
	list, _ := story(t, l)
	if diff := cmp.Diff([]string{"1 task.created", "2 task.completed"}, list); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	eventually(t, "what the reads left to look at is looked at", func() bool { return len(e.stories.read) == 0 })
	before, _, _, _, _ := o.counts()
	read()
	if after, _, _, _, _ := o.counts(); after != before+1 || len(e.stories.read) > 0 {
		t.Errorf("another read: %d describes, %d stories to look at", after-before, len(e.stories.read))
	}
}

// TestAnEndThatWasHeardIsNotLookedFor when the task is read.
func TestAnEndThatWasHeardIsNotLookedFor(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, input())
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
	e := newTestEngine(t, o, Config{Events: openLog(t), SweepInterval: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	b := &bell{project: "p", heard: newCache[struct{}](heardMost, time.Hour)}
	b.heard.put(workflows.TaskWorkflowID("p", "a"), struct{}{}, heardSize, time.Now())
	e.mu.Lock()
	e.bells["p"] = b
	e.mu.Unlock()
	if !e.heardEnd("p", "task:p:a") || e.heardEnd("p", "task:p:b") || e.heardEnd("q", "task:p:a") {
		t.Error("it does not know what it has heard")
	}
	if _, err := e.look(t.Context(), "p", "a"); err != nil {
		t.Fatal(err)
	}
	e.stories.read <- closedRun{project: "p", id: "else", runID: "run-2"} // one after the other
	eventually(t, "a look at what comes after it", func() bool { _, over := e.stories.over.get("run-2"); return over })
	_, looked := e.stories.over.get("run-1")
	if describes, _, _, _, firsts := o.counts(); looked || describes != 2 || firsts != 0 || len(e.stories.read) != 0 {
		t.Errorf("%t: %d describes and %d first events, of which one reads the task and one finds no other", looked, describes, firsts)
	}
}

// TestAStoryBeginsWithItsEndOnlyWhereTheLogWasThere.
func TestAStoryBeginsWithItsEndOnlyWhereTheLogWasThere(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		outside bool
		last    eventlog.LastEvent
		want    int
	}{
		"it was":                             {false, eventlog.LastEvent{Began: at(1)}, 1},
		"it was not yet":                     {false, eventlog.LastEvent{Began: at(61)}, 0},
		"it has no events":                   {false, eventlog.LastEvent{}, 0},
		"it keeps them no more":              {false, eventlog.LastEvent{Began: at(1), Oldest: at(61)}, 0},
		"it may keep its end no more":        {false, eventlog.LastEvent{Began: at(-60), Oldest: at(59)}, 0},
		"it keeps what came long before":     {false, eventlog.LastEvent{Began: at(-60), Oldest: at(-1)}, 1},
		"it has no events, a terminated run": {true, eventlog.LastEvent{}, 1},
		"it has some":                        {false, eventlog.LastEvent{Seq: 3, Type: sdk.EventTaskProgress}, 1},
	} {
		task := done(t)
		task.Type, task.ID = sdk.TypeResearchCodebase, "a"
		s := &storyEnd{due: true, in: input(), task: task, outside: tc.outside, closed: at(60)}
		list := s.events(tc.last, func(e sdk.Event) sdk.Event { return e })
		if len(list) != tc.want || tc.want > 0 && list[0].Seq != tc.last.Seq+1 {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

// TestAStoryThatNeverBeganIsEnded, and one that is not kept any more is not begun again.
func TestAStoryThatNeverBeganIsEnded(t *testing.T) {
	t.Parallel()
	for name, removed := range map[string]bool{"never began": false, "is not kept": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOneRun(t, input())
			l, err := eventlog.Open(t.Context(), eventlog.Config{Dir: t.TempDir(), MaxBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			want := 1
			if removed { // as much as the log keeps comes after what it had
				want = 0
				for i := range 8 {
					e := sdk.Event{ID: fmt.Sprint(i), Source: "test", Type: "x.y", Data: json.RawMessage(`"` + strings.Repeat("x", 200<<10) + `"`)}
					if _, err := l.Append(t.Context(), "p", []sdk.Event{e}); err != nil {
						t.Fatal(err)
					}
				}
			}
			o.end(enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, nil)
			o.ended.tasks = [][2]string{{workflows.TaskWorkflowID("p", "a"), "run-1"}}
			sweeping(t, o, l)
			o.swept(t, 3)
			if list, _ := story(t, l); len(list) != want {
				t.Errorf("the story is %q", list)
			}
		})
	}
}

// TestASweepOutlivesALogThatIsAway: what was ended meanwhile is looked after once it is there.
func TestASweepOutlivesALogThatIsAway(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
	o.ended.tasks = [][2]string{{workflows.TaskWorkflowID("p", "a"), "run-1"}}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	sweeping(t, o, l)
	eventually(t, "some sweeps", func() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.ended.asked >= 4 })
	o.mu.Lock()
	defer o.mu.Unlock()
	if first, later := o.ended.since[0], o.ended.since[len(o.ended.since)-1]; first != later {
		t.Errorf("the first sweep looks back to %s, a later one to %s", first, later)
	}
}
