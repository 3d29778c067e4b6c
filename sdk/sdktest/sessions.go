package sdktest

import (
	"context"
	"crypto/rand"

	"github.com/rolecall-dev/rolecall/activities"
	kept "github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// session is one session: how it goes, and the task that has its turn. The engine's lock guards it.
type session struct {
	engine  *engine
	in      workflows.SessionInput
	digest  string
	talk    *workflows.Conversation
	current *run   // that has its turn; nil for none
	idle    *timer // nil while there is a task
	number  int    // the order of opening
	ended   int    // the order of closing; 0 while it is open
}

func (e *engine) findSession(project, id string) (*session, error) {
	if s, ok := e.sessions[workflows.SessionWorkflowID(project, id)]; ok {
		return s, nil
	}
	return nil, kept.NoSuchSession()
}

// record is the session as the API answers it.
func (s *session) record() sdk.Session {
	out := s.talk.Session()
	out.Links = sdk.Links{Self: "/v1/sessions/" + s.in.ID}
	return out
}

// OpenSession implements [apiserver.Sessions].
func (e *engine) OpenSession(_ context.Context, in workflows.SessionInput, digest string) (opened sdk.Session, replayed bool, err error) {
	e.mu.Lock()
	defer e.done()
	key := workflows.SessionWorkflowID(in.Project, in.ID)
	if first, taken := e.sessions[key]; taken {
		if err := kept.SameRequest("session", first.digest, digest); err != nil {
			return opened, false, err
		}
		return first.record(), true, nil
	}
	switch {
	case e.closed:
		return opened, false, sdk.Errorf(sdk.CodeUnavailable, "the test is over")
	case len(e.sessions) >= e.keep:
		return opened, false, sdk.Errorf(sdk.CodeUnavailable, "sdktest keeps at most %d sessions", e.keep)
	}
	in.Config, in.CreatedAt = workflows.ResolveSession(in.Config, in.ModelOverrides), e.now
	s := &session{engine: e, in: in, digest: digest, talk: workflows.NewConversation(in, e.now), number: e.number()}
	e.sessions[key] = s
	s.goOn()
	return s.record(), false, nil
}

// GetSession implements [apiserver.Sessions].
func (e *engine) GetSession(_ context.Context, project, id string) (sdk.Session, error) {
	e.mu.Lock()
	defer e.seen()
	s, err := e.findSession(project, id)
	if err != nil {
		return sdk.Session{}, err
	}
	return s.record(), nil
}

// GlanceAtSession implements [apiserver.Sessions].
func (e *engine) GlanceAtSession(ctx context.Context, project, id string) (sdk.Session, error) {
	return e.GetSession(ctx, project, id)
}

// SendTask implements [apiserver.Sessions].
func (e *engine) SendTask(_ context.Context, project, id string, in workflows.SendTaskInput) (task sdk.Task, replayed bool, err error) {
	e.mu.Lock()
	defer e.done()
	s, err := e.findSession(project, id)
	if err != nil {
		return task, false, err
	}
	if first, err := e.find(project, in.TaskID); err == nil { // it had its turn
		if err := kept.SameRequest("task", first.digest, in.Digest); err != nil {
			return task, false, err
		}
		return first.task(), true, nil
	}
	in.CreatedAt, in.Nonce = e.now, rand.Text()
	if err := s.talk.Check(in); err != nil {
		return task, false, err
	}
	out := s.talk.Take(e.now, in)
	if out.Nonce != in.Nonce { // it waits for its turn
		if err := kept.SameRequest("task", out.Digest, in.Digest); err != nil {
			return task, false, err
		}
		task, _ = e.waiting(project, in.TaskID)
		return task, true, nil
	}
	s.goOn()
	e.dispatch()
	out.Task.Links = sdk.Links{Self: "/v1/tasks/" + in.TaskID, Events: "/v1/tasks/" + in.TaskID + "/events"}
	return out.Task, false, nil
}

// CloseSession implements [apiserver.Sessions].
func (e *engine) CloseSession(_ context.Context, project, id string) (sdk.Session, error) {
	e.mu.Lock()
	defer e.done()
	s, err := e.findSession(project, id)
	if err != nil {
		return sdk.Session{}, err
	}
	answer := s.close(sdk.CloseRequested)
	e.dispatch()
	return answer, nil
}

// waiting is a task that waits for its turn in its session.
func (e *engine) waiting(project, id string) (t sdk.Task, ok bool) {
	of, ok := workflows.ParseSessionTaskID(id)
	if !ok {
		return t, false
	}
	s, err := e.findSession(project, of)
	if err != nil {
		return t, false
	}
	if t, ok = s.talk.Waiting(id, e.now); ok {
		t.Links = sdk.Links{Self: "/v1/tasks/" + id, Events: "/v1/tasks/" + id + "/events"}
	}
	return t, ok
}

// cancelWaiting cancels a task that waits for its turn; a run of its own says so.
func (e *engine) cancelWaiting(project, id, reason string) (task sdk.Task, accepted bool, err error) {
	if _, ok := e.waiting(project, id); !ok {
		return task, false, kept.NoSuchTask()
	}
	of, _ := workflows.ParseSessionTaskID(id)
	s, err := e.findSession(project, of)
	if err != nil {
		return task, false, err
	}
	s.talk.Cancel(id, reason)
	s.drop()
	r, err := e.find(project, id)
	if err != nil {
		return task, false, err
	}
	return r.task(), true, nil
}

// goOn gives the next task its turn, or waits until the session is idle for too long.
func (s *session) goOn() {
	defer s.collect()
	if s.current != nil || s.ended > 0 {
		return
	}
	s.engine.stop(s.idle)
	if in, digest, ok := s.talk.Turn(s.engine.now); ok {
		s.collect()
		s.current = s.engine.newRun(in, digest)
		s.current.then = s.taskEnded
		s.current.follow(s.current.course.Begin(s.engine.now))
		return
	}
	s.idle = s.engine.after(s.talk.IdleFor(s.engine.now), plainTimer, func() {
		s.close(sdk.CloseIdle)
		s.engine.dispatch()
	})
}

// taskEnded takes the end of the task that had its turn.
func (s *session) taskEnded(r *run) {
	s.current = nil
	s.talk.Ended(s.engine.now, r.course.Record())
	if s.talk.Session().Status != sdk.SessionOpen {
		s.finish()
		return
	}
	s.goOn()
}

// drop has the end of tasks recorded that were cancelled before their turn.
func (s *session) drop() {
	for {
		in, digest, ok := s.talk.Dropped()
		if !ok {
			return
		}
		r := s.engine.newRun(in, digest)
		r.then = func(r *run) { s.talk.DroppedEnded(r.course.Record()) }
		r.follow(r.course.Begin(s.engine.now))
	}
}

// close ends the session, or answers one that has ended or is about to as it is.
func (s *session) close(reason sdk.CloseReason) (answer sdk.Session) {
	why, begun := s.talk.Close(reason)
	if answer = s.record(); !begun {
		return answer
	}
	s.engine.stop(s.idle)
	s.drop()
	if r := s.current; r != nil {
		if !r.cancelled {
			r.cancelled = true
			r.cancel(why)
		}
		return answer // taskEnded finishes it
	}
	s.finish()
	return answer
}

func (s *session) finish() {
	if s.ended > 0 {
		return
	}
	s.talk.Closed(s.engine.now)
	s.ended = s.engine.number()
	s.collect()
}

// collect takes what the session has to tell.
func (s *session) collect() {
	s.engine.told(part{project: s.in.Project, kind: activities.StorySession, id: s.in.ID, events: s.talk.TakeEvents()})
}
