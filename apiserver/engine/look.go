package engine

import (
	"context"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	// lookPause is between the beginnings of two looks at one task, however many ask for them.
	lookPause = 200 * time.Millisecond
	// lookedBytes bounds what is kept of when tasks were looked at; lookedSize is about what one takes.
	lookedBytes = 1 << 20
	lookedSize  = 256
)

// LookTask answers a task as it stood after the call, whatever was read of it before. All who ask share one look each 200 ms, so that
// the answer may take that much longer.
func (e *Engine) LookTask(ctx context.Context, project, id string) (sdk.Task, error) {
	workflowID := workflows.TaskWorkflowID(project, id)
	answer := e.looks.DoChan(workflowID, guarded(func() (any, error) {
		if began, ok := e.looked.get(workflowID); ok {
			turn := time.NewTimer(time.Until(began.Add(lookPause)))
			defer turn.Stop()
			select {
			case <-turn.C:
			case <-e.life.Done():
				return nil, context.Cause(e.life)
			}
		}
		now := time.Now()
		e.looked.put(workflowID, now, lookedSize, now)
		e.looks.Forget(workflowID) // whoever asks from here on needs a later look
		return e.look(e.life, project, id)
	}))
	select {
	case r := <-answer:
		if r.Err != nil {
			return sdk.Task{}, fault(r.Err)
		}
		return r.Val.(sdk.Task), nil
	case <-ctx.Done():
		return sdk.Task{}, fault(context.Cause(ctx))
	}
}
