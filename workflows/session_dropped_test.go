package workflows_test

import (
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/workflow"

	sdkpb "go.temporal.io/api/sdk/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestSession_SkipsACancelledTaskThatHadItsRun: no other one records its end, and it is not counted again.
func TestSession_SkipsACancelledTaskThatHadItsRun(t *testing.T) {
	t.Parallel()
	s := newSitting(t, working(time.Hour))
	s.env.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		ctx.Done().Receive(ctx, nil)
		return nil
	}, workflow.RegisterOptions{Name: "stranger"})
	s.after(time.Second, 1, sdk.TypeExecute, "the first")
	s.after(time.Second, 2, sdk.TypeExecute, "the second")
	s.close(time.Minute)
	var session sdk.Session
	s.env.ExecuteWorkflow(func(ctx workflow.Context) (sdk.Session, error) {
		child, end := workflow.WithCancel(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: workflows.TaskWorkflowID("default", turnID(2))}))
		stranger := workflow.ExecuteChildWorkflow(child, "stranger")
		if err := stranger.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
			return sdk.Session{}, err
		}
		defer end()
		return workflows.Session(ctx, sessionInput())
	})
	if err := s.env.GetWorkflowResult(&session); err != nil {
		t.Fatal(err)
	}
	if session.FailedTasks != 1 || session.CompletedTasks != 0 {
		t.Errorf("%+v", session)
	}
}

// TestSession_ShowsItsSummary: in the details that the Temporal UI shows, which every run of the session has.
func TestSession_ShowsItsSummary(t *testing.T) {
	t.Parallel()
	s := newSitting(t)
	details := ""
	s.env.RegisterDelayedCallback(func() {
		var shown sdkpb.WorkflowMetadata
		value, err := s.env.QueryWorkflow("__temporal_workflow_metadata")
		if err == nil {
			err = value.Get(&shown)
		}
		if err != nil {
			t.Error(err)
		}
		details = shown.GetCurrentDetails()
	}, time.Minute)
	s.hold(sessionInput())
	if want := "session · free · editor\n\n**open** · 0 completed"; !strings.HasPrefix(details, want) {
		t.Errorf("%q", details)
	}
}
