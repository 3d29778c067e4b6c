package apiserver

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// retryRequest is the body of a retry: nothing yet. It may be left out whole.
type retryRequest struct{}

type retryTaskInput struct {
	ID             string `path:"id" doc:"The id of a task that has ended."`
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 255 printable ASCII characters. The same key answers the first retry again."`

	body  requestBody
	keys  []string
	query query
}

// Resolve takes what huma has no eyes for.
func (in *retryTaskInput) Resolve(ctx huma.Context) []error {
	c := humagin.Unwrap(ctx)
	in.body, in.keys, in.query = readBody(c), c.Request.Header.Values("Idempotency-Key"), queryOf(ctx.URL())
	return nil
}

func (s *Server) retryTask(ctx context.Context, in *retryTaskInput) (*createTaskOutput, error) {
	d, fault := decode[retryRequest](in.body.orEmpty())
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	key, faults := keyFaults(in.keys)
	d.add(faults...)
	d.add(idFaults(in.ID)...)
	d.add(in.query.faults()...)
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	who := callerOf(ctx)
	task, replayed, err := create(ctx, s, creation[sdk.Task]{
		key: key, digest: func() (string, error) { return sumOf([]byte("retry\x00" + in.ID)), nil }, // in the place of a request's
		start: func(id, digest string) (sdk.Task, bool, error) {
			return s.tasks.RetryTask(ctx, workflows.TaskInput{
				Project: who.project, Organization: who.organization, ID: id, RetryOf: in.ID, FairnessKey: who.key,
			}, digest)
		},
	})
	if err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	s.metrics.creation(replayed)
	return created(s.linked(task), replayed), nil
}
