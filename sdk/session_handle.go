package sdk

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// SessionHandle is the hold that an editor or a script has on a session: it sends tasks, follows what happens, gets results and closes.
// [Client.OpenSession] and [Client.Session] answer one. Any number of handles, in any number of processes, can hold one session. It is
// safe for concurrent use.
type SessionHandle struct {
	client   *Client
	opened   Session
	audience audience
}

func newSessionHandle(c *Client, opened Session) *SessionHandle {
	return &SessionHandle{client: c, opened: opened}
}

// ID is the session's id, with which [Client.Session] takes it up again.
func (s *SessionHandle) ID() string { return s.opened.ID }

// Opened is the session as it stood when it was opened, or taken up again, by this handle: with the models that were chosen for it, and its
// links. [SessionHandle.Get] answers it as it stands. It shares nothing with other calls.
func (s *SessionHandle) Opened() Session {
	out := s.opened
	out.Metadata = maps.Clone(out.Metadata)
	out.Lessons, out.FollowUps, out.EpisodeRefs = slices.Clone(out.Lessons), slices.Clone(out.FollowUps), slices.Clone(out.EpisodeRefs)
	return out
}

// Get answers the session as it stands.
func (s *SessionHandle) Get(ctx context.Context) (*Session, error) {
	return s.client.GetSession(ctx, s.ID())
}

// Close closes the session as [Client.CloseSession] does. Handlers that are subscribed on this handle have been told of the close when it
// returns, unless that takes longer than five seconds.
func (s *SessionHandle) Close(ctx context.Context) (*Session, error) {
	heard := s.audience.await(closeOfSession)
	defer s.audience.forget(heard)
	session, err := s.client.CloseSession(ctx, s.ID())
	if err == nil {
		heard.wait(ctx)
	}
	return session, err
}

// SendOption says more of a task that [SessionHandle.SendTask] sends. Later options win. [WithPriority] and [IdempotencyKey] are two.
type SendOption interface{ applySend(*sending) }

// sending is a session's task being put together.
type sending struct {
	request SessionTaskRequest
	key     string
}

type sendOption func(*sending)

func (o sendOption) applySend(s *sending) { o(s) }

// WithContext gives the agent what was known before, put after the prompt: what of it is in the request beside what the session's own
// tasks have taught.
func WithContext(known SessionContext) SendOption {
	return sendOption(func(s *sending) { s.request.Context = &known })
}

// WithRole says who does it; the default is the type's own role.
func WithRole(role Role) SendOption {
	return sendOption(func(s *sending) { s.request.Role = role })
}

// WithMaxPromptTokens bounds the whole prompt, at 4 characters a token; what is beyond is cut. 0 is no bound.
func WithMaxPromptTokens(n int) SendOption {
	return sendOption(func(s *sending) { s.request.MaxPromptTokens = n })
}

// SendTask sends a task and waits for its end, through every restart of the service: it is done after those that were sent before. A
// task that failed or was cancelled is an error that wraps its [TaskError], and leaves the session as usable as it was. A session that
// has closed, or closes before the task's turn, is an error of code conflict.
//
// When ctx ends first the error wraps the context's, and the task goes on. [IdempotencyKey] makes the call one with every other of the
// same key, also of another process that took the session up again: it waits for the same task.
//
// Handlers that are subscribed on this handle have been told of the task's end when it returns, unless that takes longer than five seconds.
func (s *SessionHandle) SendTask(ctx context.Context, kind TaskType, prompt string, opts ...SendOption) (*SessionResult, error) {
	d := sending{request: SessionTaskRequest{Type: kind, Prompt: prompt}, key: rand.Text()}
	for _, o := range opts {
		o.applySend(&d)
	}
	task, err := s.send(ctx, d)
	if err != nil {
		return nil, err
	}
	if !task.Status.Terminal() { // else the handlers may have been told long ago
		heard := s.audience.await(task.ID)
		defer s.audience.forget(heard)
		if task, err = s.toEnd(ctx, task.ID); err != nil {
			return nil, err
		}
		heard.wait(ctx)
	}
	if err := task.Err(); err != nil {
		return nil, fmt.Errorf("task %s of session %s: %w", task.ID, s.opened.ID, err)
	}
	return resultOf(task), nil
}

// Send sends a task and answers it as it waits for its turn, without waiting for its end: [Client.WaitForTask] does that, and so does
// [SessionHandle.SendTask] with the same key.
func (s *SessionHandle) Send(ctx context.Context, request SessionTaskRequest, opts ...CallOption) (*Task, error) {
	d := sending{request: request, key: rand.Text()}
	for _, o := range opts {
		o.applySend(&d)
	}
	return s.send(ctx, d)
}

func (s *SessionHandle) send(ctx context.Context, d sending) (*Task, error) {
	var f faults
	f.key(d.key)
	f = append(f, faultsIn(d.request.Validate())...)
	if err := f.err(); err != nil {
		return nil, err
	}
	var task Task
	err := s.client.do(ctx, call{
		method: http.MethodPost, url: s.client.sessionURL(nil, s.opened.ID, "tasks"), body: d.request, key: d.key, repeatable: true,
	}, &task)
	if err != nil {
		return nil, err
	}
	return &task, nil
}

// toEnd waits for the end of a task of the session, its turn included. Where the service does not find it, as it may be after a long wait just
// before its run begins, it is asked again while the session is open.
func (s *SessionHandle) toEnd(ctx context.Context, id string) (*Task, error) {
	for gap := firstGap; ; gap = min(2*gap, s.client.pollingInterval()) {
		task, err := s.client.WaitForTask(ctx, id)
		if !errors.Is(err, ErrNotFound) {
			return task, err
		}
		session, err := s.Get(ctx)
		switch {
		case err != nil && !transient(err):
			return nil, err
		case err == nil && session.Status == SessionClosed:
			if task, err := s.client.GetTask(ctx, id); !errors.Is(err, ErrNotFound) { // it had its turn meanwhile
				return task, err
			}
			return nil, Errorf(CodeConflict, "session %s was closed before task %s had its turn", s.opened.ID, id)
		}
		if stopped := sleep(ctx, gap); stopped != nil {
			return nil, fmt.Errorf("waiting for the turn of task %s: %w", id, stopped)
		}
	}
}

// resultOf is what a task that completed came to.
func resultOf(t *Task) *SessionResult {
	out := &SessionResult{TaskID: t.ID, TaskType: t.Type, Degraded: t.Degraded}
	if t.CompletedAt != nil {
		out.Duration = t.CompletedAt.Sub(t.CreatedAt)
	}
	if r := t.Result; r != nil {
		out.Output, out.QualityGatePassed, out.EpisodeRefs, out.Model, out.Metrics = r.Output, r.QualityGatePassed, r.EpisodeRefs, r.Model, r.Metrics
		out.Reflection = reflectionIn(r.Reflection)
	}
	return out
}

// reflectionIn is what a result's reflection has of lessons and follow-ups; nil where it is something else.
func reflectionIn(raw json.RawMessage) *Reflection {
	var r Reflection
	if len(raw) == 0 || json.Unmarshal(raw, &r) != nil || r.Lessons == nil && r.FollowUps == nil {
		return nil
	}
	return &r
}

// Text is the output as text: a string as it is, the field text of an object that has one, and anything else as JSON.
func (r *SessionResult) Text() string {
	var text string
	if json.Unmarshal(r.Output, &text) == nil {
		return text
	}
	var object struct {
		Text *string `json:"text"`
	}
	if json.Unmarshal(r.Output, &object) == nil && object.Text != nil {
		return *object.Text
	}
	return string(r.Output)
}

// heardFor is how long a call waits, at most, for the handlers of its session to be told of what it has done: longer than a busy machine takes, and no
// longer than a caller would wait while the log is away.
const heardFor = 5 * time.Second
