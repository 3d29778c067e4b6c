package workflows

import "github.com/rolecall-dev/rolecall/sdk"

// SentTaskInput is what the run of a task would have started with that a session was sent, had it had its turn first: what other tasks have
// taught is not in it. in is what a run of the session started with. The request is not checked.
func SentTaskInput(in SessionInput, sent SendTaskInput) TaskInput {
	c := &conversation{in: in, session: sdk.Session{ID: in.ID}}
	c.in.Config = ResolveSession(in.Config, in.ModelOverrides)
	return c.taskInput(waitingTask{SendTaskInput: sent}, learnt{})
}
