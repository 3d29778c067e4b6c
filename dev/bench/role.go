package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workflows"
)

// project and role of the bench's tasks.
const (
	project = "bench"
	role    = sdk.RoleCoder
)

// RunRole serves the bench's role until ctx ends, with a handler that does what the bare activity does.
func RunRole(ctx context.Context, opts client.Options, slots int, acknowledge bool) error {
	return workers.RunRole(ctx, workers.Config{
		Project: project, Roles: []sdk.Role{role}, AgentID: "bench-agent", Slots: slots, DrainGrace: time.Second, Temporal: opts,
		AcknowledgeStart: acknowledge,
	}, sdk.HandlerFunc(func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
		return &sdk.Result{Output: json.RawMessage(`{"ok":true}`)}, nil
	}))
}

// request is the same work as a task.
func request() sdk.TaskRequest {
	return sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Bench", Input: json.RawMessage(`{"say":"hello"}`)}
}

// runOf is what the API makes of a request that it was sent with an idempotency key, as the Go SDK sends each: the run's input and how it is
// started. Id and digest are as long as the API's.
func runOf(r sdk.TaskRequest) (workflows.TaskInput, client.StartWorkflowOptions) {
	key, body := sha256.Sum256([]byte(rand.Text())), sha256.Sum256([]byte(r.Title))
	in := workflows.TaskInput{Project: project, Organization: "default", ID: "k" + hex.EncodeToString(key[:20]), Request: r.Resolve(), CreatedAt: time.Now().UTC()}
	return in, engine.StartOptions(in, workflows.NewTask(in, in.CreatedAt), hex.EncodeToString(body[:]))
}
