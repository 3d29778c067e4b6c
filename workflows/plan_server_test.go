package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// planServer is a server with one run, that of a plan. What comes between two workflow tasks, and which of these are lost before they are
// recorded, is up to the test. Each workflow task is given to a worker that has nothing of the run in its cache, unless the run sticks to it.
type planServer struct {
	batch
	t        *testing.T
	f        *frontend
	sticks   bool
	refuses  func() bool // to bring a signal, or a request to cancel, to a run that goes on; nil: never
	cached   string      // the run that the worker has in its cache; "": none that goes on
	had      int         // events that it knows
	previous int64       // the event by which the last workflow task was started that is recorded
	children []*planChild
	openings []opening // timers, signals and requests to cancel whose end is not there
	runs     int
	end      *commandpb.Command // of the run; nil while it goes on
	story    []string           // as the log has it

	mu   sync.Mutex
	told map[string][]sdk.Event // by the run, which is another one for each workflow task
}

// planChild is the run of a plan's task.
type planChild struct {
	id                        string
	in                        workflows.TaskInput
	initiated, started, ended int64 // events; 0: it has not come to that
	stop                      bool  // it was asked to
}

// opening is something that the run asked for, and what answers it.
type opening struct {
	name   string
	answer func()
}

func newPlanServer(t *testing.T, in workflows.PlanInput) *planServer {
	t.Helper()
	s := &planServer{t: t, f: newFrontend(), told: map[string][]sdk.Event{}}
	s.batch = batch{t: t, at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
			WorkflowType: &commonpb.WorkflowType{Name: workflows.PlanWorkflow}, WorkflowId: workflows.PlanWorkflowID(in.Project, in.ID), Input: s.payloads(in), Attempt: 1,
			TaskQueue: &taskqueuepb.TaskQueue{Name: workflows.ControlQueue}, WorkflowTaskTimeout: durationpb.New(10 * time.Second),
		},
	}})
	workerOn(t, s.f, func(ctx context.Context, in activities.PublishEventsInput) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		run := activity.GetInfo(ctx).WorkflowExecution.RunID
		s.told[run] = append(s.told[run], in.Events...)
		return nil
	})
	return s
}

// turn gives the worker a workflow task with everything that has come. A lost one may have told of it, but is not recorded.
func (s *planServer) turn(lost bool) {
	s.t.Helper()
	s.at = s.at.Add(time.Second / 10)
	scheduled := s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, Attributes: &historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes{
		WorkflowTaskScheduledEventAttributes: &historypb.WorkflowTaskScheduledEventAttributes{},
	}})
	started := s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
		WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{ScheduledEventId: scheduled, HistorySizeBytes: 1000 * scheduled},
	}})
	answer := s.give(started)
	if lost {
		s.cached = ""
		s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT, Attributes: &historypb.HistoryEvent_WorkflowTaskTimedOutEventAttributes{
			WorkflowTaskTimedOutEventAttributes: &historypb.WorkflowTaskTimedOutEventAttributes{ScheduledEventId: scheduled, StartedEventId: started},
		}})
		return
	}
	s.previous = started
	completed := s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, Attributes: &historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes{
		WorkflowTaskCompletedEventAttributes: &historypb.WorkflowTaskCompletedEventAttributes{ScheduledEventId: scheduled, StartedEventId: started, SdkMetadata: answer.GetSdkMetadata()},
	}})
	for _, c := range answer.GetCommands() {
		s.record(c, completed)
	}
}

// give hands the worker what there is, and puts what it tells into the story.
func (s *planServer) give(started int64) *workflowservice.RespondWorkflowTaskCompletedRequest {
	s.t.Helper()
	for range 20 {
		queue, run := s.f.sticky, s.cached
		if run == "" {
			s.runs++
			queue, run, s.had = s.f.fresh, fmt.Sprintf("%s-%d", s.t.Name(), s.runs), 0
			s.events[0].GetWorkflowExecutionStartedEventAttributes().OriginalExecutionRunId = run
		}
		task := workflowTask(s.t, s.events, s.had, int(started), nil)
		task.PreviousStartedEventId = s.previous
		answer := s.f.give(s.t, queue, task)
		s.mu.Lock()
		told := s.told[run]
		s.mu.Unlock()
		s.tell(told)
		s.cached = ""
		if publishesLater(answer) {
			continue
		}
		if s.sticks {
			s.cached, s.had = run, int(started)
		}
		return answer
	}
	s.t.Fatal("this machine is too slow for a local activity")
	return nil
}

// tell is what the log does: it keeps what it has. A worker must not tell anything else of the same number.
func (s *planServer) tell(events []sdk.Event) {
	s.t.Helper()
	for _, e := range events {
		line := planLine(s.t, e)
		switch {
		case e.Seq == len(s.story)+1:
			s.story = append(s.story, line)
		case e.Seq > len(s.story):
			s.t.Fatalf("event %d comes after %d: %s", e.Seq, len(s.story), line)
		case s.story[e.Seq-1] != line:
			s.t.Fatalf("event %d was told as\n  %s\nand is told again as\n  %s", e.Seq, s.story[e.Seq-1], line)
		}
	}
}

// planLine is all that an event says, but for times.
func planLine(t *testing.T, e sdk.Event) string {
	t.Helper()
	var data map[string]any
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Errorf("data of %s: %v", e.Type, err)
	}
	delete(data, "startedAt")
	delete(data, "durationMs")
	raw, err := json.Marshal(data)
	if err != nil {
		t.Error(err)
	}
	return string(e.Type) + " " + string(raw)
}

// record makes an event of a command, and keeps what is open by it.
func (s *planServer) record(c *commandpb.Command, completed int64) {
	s.t.Helper()
	switch {
	case c.GetRecordMarkerCommandAttributes() != nil:
		a := c.GetRecordMarkerCommandAttributes()
		s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_MARKER_RECORDED, Attributes: &historypb.HistoryEvent_MarkerRecordedEventAttributes{
			MarkerRecordedEventAttributes: &historypb.MarkerRecordedEventAttributes{MarkerName: a.GetMarkerName(), Details: a.GetDetails(), Failure: a.GetFailure(), WorkflowTaskCompletedEventId: completed},
		}})
	case c.GetModifyWorkflowPropertiesCommandAttributes() != nil:
		a := c.GetModifyWorkflowPropertiesCommandAttributes()
		s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED, Attributes: &historypb.HistoryEvent_WorkflowPropertiesModifiedEventAttributes{
			WorkflowPropertiesModifiedEventAttributes: &historypb.WorkflowPropertiesModifiedEventAttributes{UpsertedMemo: a.GetUpsertedMemo(), WorkflowTaskCompletedEventId: completed},
		}})
	case c.GetUpsertWorkflowSearchAttributesCommandAttributes() != nil:
		a := c.GetUpsertWorkflowSearchAttributesCommandAttributes()
		s.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, Attributes: &historypb.HistoryEvent_UpsertWorkflowSearchAttributesEventAttributes{
			UpsertWorkflowSearchAttributesEventAttributes: &historypb.UpsertWorkflowSearchAttributesEventAttributes{SearchAttributes: a.GetSearchAttributes(), WorkflowTaskCompletedEventId: completed},
		}})
	case c.GetStartTimerCommandAttributes() != nil, c.GetCancelTimerCommandAttributes() != nil:
		s.recordTimer(c, completed)
	case c.GetStartChildWorkflowExecutionCommandAttributes() != nil, c.GetSignalExternalWorkflowExecutionCommandAttributes() != nil,
		c.GetRequestCancelExternalWorkflowExecutionCommandAttributes() != nil:
		s.recordChild(c, completed)
	case c.GetCompleteWorkflowExecutionCommandAttributes() != nil, c.GetFailWorkflowExecutionCommandAttributes() != nil, c.GetCancelWorkflowExecutionCommandAttributes() != nil:
		s.end = c
	default:
		s.t.Fatalf("a command that a plan has no need of: %v", c)
	}
}
