package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
)

// Subscribe answers the events that the filter chooses as they come, first those since where it begins. Nothing is lost and nothing comes
// twice: a stream that was cut, or says nothing for 45 seconds while it is read, is opened again where it was, with growing pauses of at most 10 seconds or
// as long as the service asks for, until the loop or ctx ends. The first opening fails like any call. Where a stream that begins now is
// cut before anything came, it goes on from the second that it was opened in.
//
// An error ends it. One of code history_expired says that what comes next is not kept any more; [Error.FirstSequence] is the first that
// is. agent.heartbeat is not kept: it has no Sequence, and those during a cut do not come.
func (c *Client) Subscribe(ctx context.Context, filter EventFilter, opts ...FollowOption) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		f, err := c.subscription(filter, opts)
		if err != nil {
			yield(nil, err)
			return
		}
		f.events(ctx)(yield)
	}
}

// SubscribeFunc calls a handler with each event that [Client.Subscribe] would answer, one after the other. It answers once the stream is
// open: what is published from then on reaches the handler. When the subscription ends by itself, ctx's end included, the handler is
// called once more, with the error alone.
//
// unsubscribe ends the subscription and waits for the handler to have returned; nothing is called after it. It can be called again. The
// handler must not call it, since it would wait for itself: one that has seen enough cancels ctx.
func (c *Client) SubscribeFunc(ctx context.Context, filter EventFilter, handler func(*Event, error), opts ...FollowOption) (unsubscribe func(), err error) {
	f, err := c.subscription(filter, opts)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancelCause(ctx)
	if err := f.open(life, maxSends); err != nil {
		end(nil)
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer end(nil)
		for e, err := range f.events(life) {
			if errors.Is(context.Cause(life), errUnsubscribed) {
				return
			}
			handler(e, err)
		}
	}()
	return func() {
		end(errUnsubscribed)
		<-done
	}, nil
}

var errUnsubscribed = errors.New("unsubscribed")

func (c *Client) subscription(filter EventFilter, opts []FollowOption) (following[Event], error) {
	if err := filter.followable(); err != nil {
		return following[Event]{}, err
	}
	f := following[Event]{follow: c.follow(filter, opts, "v1", "events", "stream"), read: readEvent}
	return f, f.start()
}

// TaskEvents answers the events of a task, from its first to its terminal one, as they come; then it ends. It is opened again as
// [Client.Subscribe] is, and ends on the same errors. A task that ended before there was a log has none.
func (c *Client) TaskEvents(ctx context.Context, id string, opts ...FollowOption) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		if err := checkID("task", id); err != nil {
			yield(nil, err)
			return
		}
		f := following[Event]{follow: c.follow(EventFilter{}, opts, "v1", "tasks", id, "events"), read: readEvent}
		f.over = func(ctx context.Context) (bool, error) {
			task, err := c.GetTask(ctx, id)
			return err == nil && task.Status.Terminal(), err
		}
		f.now = false // which only the stream of a session has
		if f.story, f.live = true, true; f.start() != nil {
			yield(nil, Errorf(CodeInvalidInput, "a task is resumed after the sequence of an event: a whole number of at most 20 digits"))
			return
		}
		f.events(ctx)(yield)
	}
}

// readEvent reads a frame of the log's events. The name is not asked first: an event of the log may have any type.
func readEvent(fr frame) (e *Event, last bool, err error) {
	e = new(Event)
	if err := json.Unmarshal(fr.data, e); err != nil || e.Type == "" || e.SpecVersion == "" && EventType(fr.name).NamesFrame() {
		return nil, false, err
	}
	return e, e.Type.endsTask(), nil
}

// endsTask reports whether an event of this type is a task's last word.
func (t EventType) endsTask() bool {
	return t == EventTaskCompleted || t == EventTaskFailed || t == EventTaskCancelled
}

// FollowOption says more of a stream that is followed.
type FollowOption func(*follow)

// LiveOutput has the function called with the live output of a task's agent, in the goroutine that takes the events and between them. It is best
// effort: pieces are left out where the reader or a connection is slow, and none is told twice. [Client.TaskEvents] has it, and
// [Client.TaskUpdates] between its updates.
func LiveOutput(output func(TaskOutput)) FollowOption {
	return func(f *follow) { f.output = output }
}

// ResumeAfter lets [Client.TaskEvents] and [Client.PlanEvents] begin after the event of this [Event.Sequence], and [SessionHandle.Events] after
// that of this [SessionEvent.Sequence]; "" is the first.
func ResumeAfter(sequence string) FollowOption {
	return func(f *follow) { f.filter.After = sequence }
}

// FromNow lets [SessionHandle.Events] and [SessionHandle.Subscribe] begin with what happens from the opening of the stream on, as for one who
// takes a session up again and has no position. [ResumeAfter] goes before it.
func FromNow() FollowOption {
	return func(f *follow) { f.now = true }
}

// OnInterruption has the function called each time the stream was cut or could not be opened again, with why. It is opened again after it returns.
func OnInterruption(interrupted func(error)) FollowOption {
	return func(f *follow) { f.interrupted = interrupted }
}

// Pushed has [Client.TaskUpdates] follow the task's events, so that an update comes when something happens and not at the next look.
func Pushed() FollowOption { return func(f *follow) { f.pushed = true } }
