package workflows

import (
	"testing"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

// TestWhatNeedsNoWaitDoesNotAskForACancellation: one that came in the same batch of history would change what a shorter batch has told, where
// no further attempt can be made (budget_exceeded).
func TestWhatNeedsNoWaitDoesNotAskForACancellation(t *testing.T) {
	t.Parallel()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.ExecuteWorkflow(func(ctx workflow.Context) (bool, error) {
		ctx, cancel := workflow.WithCancel(ctx)
		cancel()
		return (&taskRun{}).rest(ctx, 0), nil
	})
	var asked bool
	if err := env.GetWorkflowResult(&asked); err != nil || asked {
		t.Errorf("a pause of no length is cancelled: %t, %v", asked, err)
	}
}
