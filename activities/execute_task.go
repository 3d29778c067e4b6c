package activities

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

// ExecuteTaskName is the activity a role worker serves. Its argument is an [sdk.Assignment], its result an [AttemptReport].
//
// An attempt that fails answers with an ApplicationError: its type is the code, its non-retryable flag says that another attempt
// of the stage is pointless, its next retry delay replaces the backoff, and its details hold an [AttemptReport]. An attempt whose
// worker is stopping fails with type "interrupted". One that obeyed a cancellation answers with a CanceledError and the same details.
const ExecuteTaskName = "ExecuteTask"

// AttemptReport is all that an attempt has to tell: as heartbeat details while it runs, and as result or failure details when it
// ends. At most one of Result and InputRequired is set, and neither in a heartbeat.
type AttemptReport struct {
	AgentID       string             `json:"agentId,omitempty"`
	StartedAt     *time.Time         `json:"startedAt,omitempty"` // when the handler began; nil while the attempt waits for a slot
	Progress      *sdk.Progress      `json:"progress,omitempty"`  // the newest
	N             int                `json:"n,omitempty"`         // how many progress signals the attempt has sent; in a heartbeat at least that, and never less than one that is in history
	Resume        json.RawMessage    `json:"resume,omitempty"`    // for the next attempt
	Spent         *sdk.Metrics       `json:"spent,omitempty"`     // tokens and cost so far; nil beside a result, whose metrics have them
	Result        *sdk.Result        `json:"result,omitempty"`
	InputRequired *sdk.InputRequired `json:"inputRequired,omitempty"`
	Details       json.RawMessage    `json:"details,omitempty"` // of the error, in failure details
	Digest        string             `json:"digest,omitempty"`  // of an answer over HTTP: the same one again is known by it
}

// ExecuteTask asks for one attempt. The options name queue and timeouts; the future ends with an [AttemptReport].
func ExecuteTask(ctx workflow.Context, opts workflow.ActivityOptions, in sdk.Assignment) workflow.Future {
	opts.ActivityID = AttemptID(in.Stage, in.Attempt)
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), ExecuteTaskName, in)
}

// AttemptID is the activity id of an attempt, such as "0.1": a reader of the run learns stage and attempt from it.
func AttemptID(stage, attempt int) string {
	return strconv.Itoa(stage) + "." + strconv.Itoa(attempt)
}

// ParseAttemptID is the inverse of [AttemptID]; ok is false for the id of another activity.
func ParseAttemptID(id string) (stage, attempt int, ok bool) {
	s, a, found := strings.Cut(id, ".")
	stage, errStage := strconv.Atoi(s)
	attempt, errAttempt := strconv.Atoi(a)
	return stage, attempt, found && errStage == nil && errAttempt == nil && stage >= 0 && attempt > 0
}
