package workflows

import (
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// SessionOver refuses a task of a session that has closed, or is about to.
func SessionOver() *sdk.Error {
	return sdk.Errorf(sdk.CodeConflict, "the session has closed, or is about to, and takes no tasks any more: open another one")
}

// TooLargeToSend refuses what a session could not hand over to its next run.
func TooLargeToSend() *sdk.Error {
	return sdk.Errorf(sdk.CodePayloadTooLarge, "prompt and context take more than %d bytes as JSON: send less context", maxQueueBytes)
}

// CheckSend answers nil when a task is not too large to be sent to a session, else [TooLargeToSend] or why it can not be written.
func CheckSend(in SendTaskInput) error {
	size, err := EncodedSize(in)
	switch {
	case err != nil:
		return sdk.Errorf(sdk.CodeInvalidInput, "the request can not be written as JSON: %v", err)
	case size > maxQueueBytes:
		return TooLargeToSend()
	default:
		return nil
	}
}

// check answers nil when a task can be taken, or was before, else an [sdk.Error]: conflict when the session has closed, or is about to,
// rate_limited where there is no room until tasks before it have ended, invalid_input and payload_too_large for what no client of ours sends.
func (c *conversation) check(in SendTaskInput) error {
	if _, ok := c.key(in.TaskID); ok {
		return nil
	}
	if c.session.Status != sdk.SessionOpen {
		return SessionOver()
	}
	if session, ok := ParseSessionTaskID(in.TaskID); !ok || session != c.in.ID {
		return sdk.Errorf(sdk.CodeInvalidInput, "the task's id is not one of this session")
	}
	if err := in.Request.Validate(); err != nil {
		return err
	}
	if err := CheckSend(in); err != nil {
		return err
	}
	return c.room(in)
}

// room answers nil when there is room for one more task, else rate_limited.
func (c *conversation) room(in SendTaskInput) error {
	size, _ := EncodedSize(in) // CheckSend has seen that it can be written
	switch {
	case len(c.queue) >= sdk.MaxSessionQueue:
		return sdk.Errorf(sdk.CodeRateLimited, "%d tasks wait for their turn already, which is the most: wait for one of them to end", sdk.MaxSessionQueue)
	case c.queued+size > maxQueueBytes:
		return sdk.Errorf(sdk.CodeRateLimited, "the tasks that wait for their turn already take as much room as there is: wait for one of them to end")
	case c.sent >= maxSessionSent || c.written+2*size > maxSessionWritten:
		return sdk.Errorf(sdk.CodeRateLimited, "too much was sent while one task has its turn: wait for it to end")
	default:
		return nil
	}
}

// take puts a task that check let through at the end of the queue. One that was sent before is answered with the digest of that asking.
func (c *conversation) take(now time.Time, in SendTaskInput) SendTaskOutput {
	if key, ok := c.key(in.TaskID); ok {
		return c.taken(now, key, in.Nonce)
	}
	nonce := in.Nonce
	in.Nonce = ""
	if in.CreatedAt.IsZero() {
		in.CreatedAt = now
	}
	size, _ := EncodedSize(in)
	w := waitingTask{SendTaskInput: in, size: size}
	c.queue = append(c.queue, w)
	c.queued += size
	c.sent++
	c.written += size + sentTaskWeight
	c.session.QueuedTasks, c.session.LastActivityAt = len(c.queue), now
	c.keep(SessionKey{TaskID: in.TaskID, Digest: in.Digest, Nonce: nonce})
	return SendTaskOutput{Task: c.waitingView(w, now), Digest: in.Digest, Nonce: nonce}
}

// taken answers for a task that was sent before. An asking with its nonce is that very one, whose answer was lost as the session went on as
// another run.
func (c *conversation) taken(now time.Time, key SessionKey, nonce string) SendTaskOutput {
	out := SendTaskOutput{Task: sdk.Task{ID: key.TaskID, SessionID: c.in.ID}, Digest: key.Digest}
	if nonce == "" || nonce != key.Nonce {
		return out
	}
	out.Nonce = nonce
	if i := slices.IndexFunc(c.queue, func(w waitingTask) bool { return w.TaskID == key.TaskID }); i >= 0 {
		out.Task = c.waitingView(c.queue[i], now)
	}
	return out
}

// keep keeps the key of a task that is taken. Of those before, it leaves the oldest out that have no task which waits.
func (c *conversation) keep(key SessionKey) {
	keys := append(slices.Clone(c.keys), key)
	if more := len(keys) - maxSessionKeys; more > 0 {
		waiting := map[string]bool{key.TaskID: true}
		for _, id := range c.waitingIDs() {
			waiting[id] = true
		}
		keys = slices.DeleteFunc(keys, func(k SessionKey) bool {
			if more <= 0 || waiting[k.TaskID] {
				return false
			}
			more--
			return true
		})
	}
	c.keys = keys
}

// key is a task that was sent before, if it waits or is one of the newest.
func (c *conversation) key(taskID string) (SessionKey, bool) {
	i := slices.IndexFunc(c.keys, func(k SessionKey) bool { return k.TaskID == taskID })
	if i < 0 {
		return SessionKey{}, false
	}
	return c.keys[i], true
}

// taskInput is what the run of a task starts with.
func (c *conversation) taskInput(w waitingTask, before learnt) TaskInput {
	r := w.Request
	models := stageModels(c.in.Config, c.in.ModelOverrides, r.Type)
	request := sdk.TaskRequest{
		Type: r.Type, Role: r.Role, Title: titleOf(r.Type, r.Prompt), Priority: r.Priority, Retry: c.in.Config.Retry,
	}
	for _, model := range models[1:] {
		request.Fallback = append(request.Fallback, sdk.Stage{Model: model})
	}
	request = request.Resolve()
	input, err := encode(promptOf(r, request.Role, c.in.Config.QualityGates, before))
	if err == nil {
		request.Input = input
	}
	return TaskInput{
		Project: c.in.Project, Organization: c.in.Organization, ID: w.TaskID, Request: request, SessionID: c.in.ID, Model: models[0],
		Prompt: firstCharacters(r.Prompt, maxEventPrompt), FairnessKey: sdk.Cut(c.in.ID, sdk.MaxFairnessKey), CreatedAt: w.CreatedAt,
	}
}

// waitingView is a task as everybody sees it before its turn.
func (c *conversation) waitingView(w waitingTask, now time.Time) sdk.Task {
	w.Request.Context = nil // the input is made when its turn has come
	return WaitingTask(c.taskInput(w, learnt{}), now)
}

// WaitingTask is a session's task that has no run yet.
func WaitingTask(in TaskInput, now time.Time) sdk.Task {
	t := NewTask(in, now)
	t.Input = nil
	t.WaitingFor = &sdk.WaitingFor{Reason: sdk.WaitingBehind, Since: t.CreatedAt, Detail: "it waits for its turn in its session"}
	return t
}

// CarriedTasks are those that an earlier run of a session has handed over to the one that started at the given time, as everybody sees them.
func CarriedTasks(in SessionInput, started time.Time) []sdk.Task {
	if in.Carried == nil {
		return nil
	}
	c := newConversation(in, started)
	tasks := make([]sdk.Task, len(c.queue))
	for i, w := range c.queue {
		tasks[i] = c.waitingView(w, started)
	}
	return tasks
}

// waitingIDs are those of the tasks that wait for their turn, the next one first.
func (c *conversation) waitingIDs() []string {
	ids := make([]string, 0, len(c.queue)+len(c.dropped))
	for _, w := range slices.Concat(c.dropped, c.queue) {
		ids = append(ids, w.TaskID)
	}
	return ids
}

// cancelTask cancels a task that waits for its turn, or has the task stopped that has it; the first reason counts. Of another one it is too late.
func (c *conversation) cancelTask(in CancelRequestedInput) {
	reason := sdk.Cut(in.Reason, sdk.MaxReason)
	c.written += len(reason) + eventWeight
	if in.TaskID == "" {
		return
	}
	if in.TaskID == c.session.CurrentTaskID {
		c.stopCurrent(reason)
		return
	}
	if i := slices.IndexFunc(c.queue, func(w waitingTask) bool { return w.TaskID == in.TaskID }); i >= 0 {
		c.drop(i, reason)
	}
}

func (c *conversation) stopCurrent(reason string) {
	if c.stop == nil && c.session.CurrentTaskID != "" {
		c.stop = &reason
	}
}

// drop cancels a task that waits for its turn.
func (c *conversation) drop(i int, reason string) {
	w := c.queue[i]
	w.reason = reason
	c.leave(i)
	c.dropped = append(c.dropped, w)
}
