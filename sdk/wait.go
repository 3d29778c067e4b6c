package sdk

import (
	"context"
	"iter"
	"reflect"
	"time"
)

// firstGap is how soon [Client.WatchTask] looks again after a change; the gap doubles up to the polling interval.
const firstGap = 250 * time.Millisecond

// WaitForTask waits until the task has ended and answers it, however it ended: a failed or cancelled task is not an error of the
// call, [Task.Err] says what became of it. It outlives restarts of the service: while nobody answers it tries again, with growing
// pauses of at most the polling interval or as long as the service asks for, until ctx ends. Then the error wraps the context's
// and the task is the last one seen, or nil. It also waits out a question to the caller; [Client.WatchTask] shows that.
func (c *Client) WaitForTask(ctx context.Context, id string) (*Task, error) {
	if err := checkID("task", id); err != nil {
		return nil, err
	}
	return c.lookAtTask(id).end(ctx)
}

// WatchTask answers the task now and each time it has changed, the last time when it has ended. It looks again within the
// polling interval, sooner after a change, and outlives restarts of the service as [Client.WaitForTask] does. An error ends it,
// the context's included; breaking out of the loop leaves the task alone.
func (c *Client) WatchTask(ctx context.Context, id string) iter.Seq2[*Task, error] {
	return c.watch(ctx, id, nil)
}

// watch is WatchTask, and looks at once when an event of the task comes, where the options ask for that and the service has them.
func (c *Client) watch(ctx context.Context, id string, opts []FollowOption) iter.Seq2[*Task, error] {
	return func(yield func(*Task, error) bool) {
		if err := checkID("task", id); err != nil {
			yield(nil, err)
			return
		}
		l, gap, pushed := c.lookAtTask(id), time.Duration(0), c.push(ctx, id, opts)
		defer pushed.close()
		var seen *Task
		for {
			asked, held := time.Now(), gap
			if pushed.alive() {
				held = 0
			}
			task, err := l.next(ctx, held)
			if err != nil {
				yield(nil, err)
				return
			}
			if task.Status.Terminal() {
				pushed.finish(ctx)
			}
			switch changed := !reflect.DeepEqual(seen, task); {
			case changed && !yield(task, nil), task.Status.Terminal():
				return
			case changed:
				gap = min(firstGap, c.pollingInterval())
			default:
				gap = min(2*gap, c.pollingInterval())
			}
			seen = task
			var stopped error
			if pushed.alive() {
				var woken bool
				if woken, stopped = pushed.wait(ctx, gap); woken {
					gap = firstGap / 2 // what a look answers may be a moment older than the event
				}
			} else if early := gap/2 - time.Since(asked); early > 0 {
				stopped = sleep(ctx, early)
			}
			if stopped != nil {
				yield(nil, l.stopped(stopped))
				return
			}
		}
	}
}

// TaskUpdate is what [Client.TaskUpdates] answers: the task as it stands, and what was newly recorded of its progress.
type TaskUpdate struct {
	Task     *Task
	Progress []Progress // oldest first; each is answered once
}

// TaskUpdates is [Client.WatchTask] with every recorded progress, also of those that were reported between two looks. While the
// service can not be asked what was recorded, the progress is left to a later update: the next one, or the last.
//
// With [Pushed] or [LiveOutput] it follows the task's events beside that, where the service has them, and looks as soon as one comes.
func (c *Client) TaskUpdates(ctx context.Context, id string, opts ...FollowOption) iter.Seq2[TaskUpdate, error] {
	return func(yield func(TaskUpdate, error) bool) {
		var last *Progress
		for task, err := range c.watch(ctx, id, opts) {
			if err != nil {
				yield(TaskUpdate{}, err)
				return
			}
			update := TaskUpdate{Task: task}
			if newest := task.Progress; newest != nil && (last == nil || newest.after(*last)) {
				recorded, err := c.Progress(ctx, id)
				if err != nil && !transient(err) {
					yield(TaskUpdate{}, err)
					return
				}
				if err == nil || task.Status.Terminal() { // else the next list has it
					recorded = append(recorded, *newest)
				}
				for _, p := range recorded {
					if last == nil || p.after(*last) {
						update.Progress, last = append(update.Progress, p), &p
					}
				}
			}
			if !yield(update, nil) {
				return
			}
		}
	}
}

// FollowTask answers every progress of the task that is recorded, oldest first, and new ones as they come, until the task has
// ended. It looks as [Client.WatchTask] does and ends on the same errors.
func (c *Client) FollowTask(ctx context.Context, id string) iter.Seq2[Progress, error] {
	return func(yield func(Progress, error) bool) {
		for update, err := range c.TaskUpdates(ctx, id) {
			if err != nil {
				yield(Progress{}, err)
				return
			}
			for _, p := range update.Progress {
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// after reports whether p was reported later than q. Clocks of different agents are not compared.
func (p Progress) after(q Progress) bool {
	if p.Stage != q.Stage {
		return p.Stage > q.Stage
	}
	if p.Attempt != q.Attempt {
		return p.Attempt > q.Attempt
	}
	return p.At.After(q.At)
}

// Err is nil while the task runs and when it completed; a failed or cancelled one answers a [*TaskError] that says why.
func (t *Task) Err() error {
	if t.Status != StatusFailed && t.Status != StatusCancelled {
		return nil
	}
	if t.Result != nil && t.Result.Error != nil {
		return t.Result.Error
	}
	if t.Status == StatusCancelled {
		return &TaskError{Code: CodeCancelled, Message: "the task was cancelled"}
	}
	return &TaskError{Code: CodeAgentFailed, Message: "the task failed without saying why"}
}
