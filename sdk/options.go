package sdk

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// draft is a task being put together.
type draft struct {
	request TaskRequest
	key     string
	faults  faults
}

// validate answers the faults of the options and of the request together.
func (d *draft) validate() error {
	f := slices.Clone(d.faults)
	f.key(d.key)
	if e, ok := errors.AsType[*Error](d.request.Validate()); ok {
		f = append(f, e.Faults...)
	}
	return f.err()
}

// key checks an idempotency key.
func (f *faults) key(s string) {
	if n := len(s); n < 1 || n > 255 || slices.ContainsFunc([]byte(s), func(b byte) bool { return b < ' ' || b > '~' }) {
		f.add("Idempotency-Key", "must be 1 to 255 printable ASCII characters")
	}
}

// TaskOption says more of a task that [Client.RequestCode] or [Client.DelegateToRole] hands out. Later options win.
type TaskOption interface{ applyTask(*draft) }

// CallOption is about the call rather than the task; every method that creates takes it.
type CallOption interface {
	TaskOption
	SendOption
	aboutTheCall()
}

type taskOption func(*draft)

func (o taskOption) applyTask(d *draft) { o(d) }

type callOption func(key *string)

func (o callOption) applyTask(d *draft)   { o(&d.key) }
func (o callOption) applySend(s *sending) { o(&s.key) }
func (o callOption) aboutTheCall()        {}

// IdempotencyKey makes the call one with every other of the same key, also across restarts of the caller: 1 to 255 printable
// ASCII characters, remembered as long as the finished task is.
func IdempotencyKey(key string) CallOption {
	return callOption(func(k *string) { *k = key })
}

// Input is what the agent works on: any value that can be written as JSON, at most [MaxInput] bytes. A [json.RawMessage] is sent
// as it is.
func Input(value any) TaskOption {
	return taskOption(func(d *draft) {
		if raw, ok := value.(json.RawMessage); ok {
			d.request.Input = raw
			return
		}
		raw, err := encode(value)
		if err != nil {
			d.faults.add("$.input", "can not be written as JSON: %v", err)
			return
		}
		d.request.Input = raw
	})
}

// Description is the whole of what is wanted, in words.
func Description(text string) TaskOption {
	return taskOption(func(d *draft) { d.request.Description = text })
}

// PriorityOption is for a task and for a session's task.
type PriorityOption interface {
	TaskOption
	SendOption
}

type priorityOption Priority

func (o priorityOption) applyTask(d *draft)   { d.request.Priority = Priority(o) }
func (o priorityOption) applySend(s *sending) { s.request.Priority = Priority(o) }

// WithPriority orders the task among those that wait; the default is medium.
func WithPriority(p Priority) PriorityOption { return priorityOption(p) }

// WithRetry says how often and how soon a failed attempt is repeated.
func WithRetry(r Retry) TaskOption {
	return taskOption(func(d *draft) { d.request.Retry = &r })
}

// WithTimeouts bounds the task.
func WithTimeouts(t Timeouts) TaskOption {
	return taskOption(func(d *draft) { d.request.Timeouts = &t })
}

// WithFallback adds stages that are tried in order when the one before is used up.
func WithFallback(stages ...Stage) TaskOption {
	return taskOption(func(d *draft) { d.request.Fallback = slices.Concat(d.request.Fallback, stages) })
}

// Metadata adds pairs that go with the task unread.
func Metadata(pairs map[string]string) TaskOption {
	return taskOption(func(d *draft) {
		all := maps.Clone(d.request.Metadata)
		if all == nil {
			all = make(map[string]string, len(pairs))
		}
		maps.Copy(all, pairs)
		d.request.Metadata = all
	})
}

// ToAgent addresses one agent of the role.
func ToAgent(id string) TaskOption {
	return taskOption(func(d *draft) { d.request.AgentID = id })
}

// Needs adds capabilities that an agent must have, all of them.
func Needs(capabilities ...string) TaskOption {
	return taskOption(func(d *draft) { d.request.Capabilities = slices.Concat(d.request.Capabilities, capabilities) })
}

// ChildOf makes the task a child of a running one: it is cancelled with it.
func ChildOf(parentID string) TaskOption {
	return taskOption(func(d *draft) { d.request.ParentID = parentID })
}

// Detached lets a child outlive its parent.
func Detached() TaskOption {
	return taskOption(func(d *draft) { d.request.Detached = true })
}

// Correlation carries the caller's own id through to the task's events.
func Correlation(id string) TaskOption {
	return taskOption(func(d *draft) { d.request.CorrelationID = id })
}

// Fairness sets the key whose tasks take turns with those of other keys.
func Fairness(key string) TaskOption {
	return taskOption(func(d *draft) { d.request.FairnessKey = key })
}
