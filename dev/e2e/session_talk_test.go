package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// talk is a session of a scene.
type talk struct {
	*scene
	*sdk.SessionHandle
}

// opens opens a session whose tasks are tried again soon.
func (s *scene) opens(change ...func(*sdk.SessionConfig)) talk {
	s.t.Helper()
	config := sdk.SessionConfig{Retry: &sdk.Retry{InitialIntervalMs: 100}}
	for _, c := range change {
		c(&config)
	}
	session, err := s.client.OpenSession(s.t.Context(), config)
	s.do(err)
	return talk{s, session}
}

// told is a prompt that tells the scripted agent what to do.
func (s *scene) told(steps script) string {
	s.t.Helper()
	raw, err := json.Marshal(map[string]any{"dir": s.dir, "attempts": steps})
	s.do(err)
	return "Do as it says.\nscript:" + string(raw)
}

// asks sends a task and waits for its end.
func (t talk) asks(kind sdk.TaskType, steps script, opts ...sdk.SendOption) (*sdk.SessionResult, error) {
	t.t.Helper()
	ctx, cancel := context.WithTimeout(t.t.Context(), patience)
	defer cancel()
	return t.SendTask(ctx, kind, t.told(steps), opts...)
}

// sends hands a task in, without waiting for it.
func (t talk) sends(kind sdk.TaskType, steps script) *sdk.Task {
	t.t.Helper()
	task, err := t.Send(t.t.Context(), sdk.SessionTaskRequest{Type: kind, Prompt: t.told(steps)})
	t.do(err)
	return task
}

// closes closes the session.
func (t talk) closes() {
	t.t.Helper()
	_, err := t.SessionHandle.Close(t.t.Context())
	t.do(err)
}

// isNow waits until the session meets the condition, and returns it.
func (t talk) isNow(what string, condition func(*sdk.Session) bool) (session *sdk.Session) {
	t.t.Helper()
	t.eventually(what, patience, func() (err error) {
		if session, err = t.Get(t.t.Context()); err != nil {
			return err
		}
		if !condition(session) {
			return fmt.Errorf("the session is %+v", session)
		}
		return nil
	})
	return session
}

// stream is what the session's stream tells to its end.
func (t talk) stream() (events []sdk.SessionEvent) {
	t.t.Helper()
	ctx, cancel := context.WithTimeout(t.t.Context(), patience)
	defer cancel()
	for e, err := range t.Events(ctx) {
		t.do(err)
		events = append(events, *e)
	}
	return events
}

// began is what every story of this session begins with, in the order of the stream.
func (t talk) began(tier sdk.CostTier, orchestrator, executor string) sdk.SessionEvent {
	return sdk.SessionEvent{Type: sdk.SessionStartEvent, Payload: sdk.SessionPayload{
		SessionID: t.ID(), CostTier: tier, OrchestratorModel: orchestrator, ExecutorModel: executor,
	}}
}

func (t talk) ended() sdk.SessionEvent {
	return sdk.SessionEvent{Type: sdk.SessionCloseEvent, Payload: sdk.SessionPayload{SessionID: t.ID()}}
}

// of is an event about a task.
func of(task *sdk.Task, kind sdk.SessionEventType, p sdk.SessionPayload) sdk.SessionEvent {
	p.TaskID, p.TaskType = task.ID, task.Type
	return sdk.SessionEvent{Type: kind, Payload: p}
}

func started(task *sdk.Task, prompt string, priority sdk.Priority) sdk.SessionEvent {
	return of(task, sdk.TaskStartEvent, sdk.SessionPayload{Prompt: string([]rune(prompt)[:min(200, len([]rune(prompt)))]), Priority: priority})
}

// wantStream compares every field of every event. What can not be known is taken out of what came after it was looked at: the sequence, which
// rises; the time, which does not go back, and lies within the session's; durations, which are those between two events.
func (t talk) wantStream(want ...sdk.SessionEvent) []sdk.SessionEvent {
	t.t.Helper()
	return t.wantBut(nil, want...)
}

// wantBut is wantStream without the events that besides takes: how many there are of them is settled by time.
func (t talk) wantBut(besides func(sdk.SessionEvent) bool, want ...sdk.SessionEvent) []sdk.SessionEvent {
	t.t.Helper()
	got := t.stream()
	session := t.isNow("closed", func(s *sdk.Session) bool { return s.Status == sdk.SessionClosed })
	last, sequence, begun := session.CreatedAt.UnixMilli(), "", map[string]int64{}
	var plain []sdk.SessionEvent
	for i, e := range got {
		if e.Timestamp < last || e.Sequence <= sequence {
			t.t.Errorf("event %d, %s, is of %d at %s, after one of %d at %s", i, e.Type, e.Timestamp, e.Sequence, last, sequence)
		}
		last, sequence = e.Timestamp, e.Sequence
		p := &e.Payload
		switch e.Type {
		case sdk.TaskStartEvent:
			begun[p.TaskID] = e.Timestamp
		case sdk.TaskCompleteEvent:
			if took := e.Timestamp - begun[p.TaskID]; p.Duration < took-1 || p.Duration > took+1 { // each is cut to whole milliseconds
				t.t.Errorf("event %d: a duration of %d, %d ms after the task's start", i, p.Duration, took)
			}
			p.Duration = 0
		case sdk.TaskErrorEvent:
			if took := e.Timestamp - begun[p.TaskID]; p.Duration < 0 || p.Duration > took+1 {
				t.t.Errorf("event %d: an attempt of %d ms, %d ms after the task's start", i, p.Duration, took)
			}
			p.Duration = 0
		default:
		}
		e.Timestamp, e.Sequence = 0, ""
		if besides == nil || !besides(e) {
			plain = append(plain, e)
		}
	}
	if session.ClosedAt == nil || last > session.ClosedAt.UnixMilli() {
		t.t.Errorf("the last event is of %d, the session closed at %v", last, session.ClosedAt)
	}
	if diff := cmp.Diff(want, plain); diff != "" {
		t.t.Errorf("the stream (-want +got):\n%s", diff)
	}
	return got
}
