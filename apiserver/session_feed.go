package apiserver

import (
	"context"
	"encoding/json"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// sessionVoice tells the events of a session in the session's own words.
type sessionVoice struct {
	server           *Server
	log              *eventlog.Log
	project, session string

	tasks map[string]toldTask // those that have begun and not ended, by id
}

// taskOf is the task whose story a record is of; "" for the session's own.
func taskOf(r *eventlog.Record) string {
	if story, ok := r.Story(); ok && story.Kind == eventlog.KindTask {
		return story.ID
	}
	return ""
}

func (*sessionVoice) marks(r *eventlog.Record) ([]storyMark, error) {
	task := taskOf(r)
	if task == "" {
		return nil, nil
	}
	return []storyMark{{task: task, over: endsTask(r.Type)}}, nil
}

// lacks reports whether the beginning of the task that an event is about was told to an earlier connection.
func (v *sessionVoice) lacks(r *eventlog.Record) bool {
	task := taskOf(r)
	_, known := v.tasks[task]
	return task != "" && !known && r.Type != sdk.EventTaskCreated
}

// learn makes that task up from its story.
func (v *sessionVoice) learn(ctx context.Context, r *eventlog.Record) error {
	task := taskOf(r)
	before := eventlog.Query{
		Filter: eventlog.Filter{Types: sessionSources(), Story: &eventlog.Story{Kind: eventlog.KindTask, ID: task}},
		Limit:  feedPage, Bytes: feedPageBytes, UpTo: r.Sequence - 1,
	}
	var known toldTask
	for more := true; more; {
		page, err := v.log.Read(ctx, v.project, before)
		if err != nil {
			return err
		}
		for _, r := range page.Records {
			e, d, err := readSource(r)
			if err != nil {
				return err
			}
			known = known.after(e, d)
		}
		before.From, more = eventlog.After(page.Next), page.More
	}
	if known.kind == "" {
		var err error
		if known, err = v.expired(ctx, task, known); err != nil {
			return err
		}
	}
	v.tasks[task] = known
	return nil
}

// expired asks the engine what a task is whose beginning the log has no longer.
func (v *sessionVoice) expired(ctx context.Context, id string, known toldTask) (toldTask, error) {
	task, err := v.server.tasks.GetTask(ctx, v.project, id)
	switch {
	case isNotFound(err):
		return known, nil
	case err != nil:
		return known, err
	}
	known.kind, known.began = task.Type, task.CreatedAt
	if task.StartedAt != nil {
		known.began = *task.StartedAt
	}
	return known, nil
}

func (v *sessionVoice) tell(r *eventlog.Record, at uint64) (*shown, error) {
	e, d, err := readSource(r)
	if err != nil {
		return nil, err
	}
	task := v.tasks[e.Task]
	told := sessionEvent(v.session, e, d, task)
	data, err := json.Marshal(told)
	if err != nil {
		return nil, err
	}
	switch {
	case e.Task == "":
	case endsTask(e.Type):
		delete(v.tasks, e.Task)
	default:
		v.tasks[e.Task] = task.after(e, d)
	}
	return &shown{name: string(told.Type), data: data, at: at}, nil
}

// readSource is an event of the log, and what its data say.
func readSource(r *eventlog.Record) (sdk.Event, sessionSource, error) {
	e, err := r.Event()
	if err != nil {
		return e, sessionSource{}, err
	}
	d, err := sourceOf(e)
	if err != nil {
		return e, d, sdk.Errorf(sdk.CodeInternal, "event %d of the log has data of another shape than its type: %v", r.Sequence, err)
	}
	return e, d, nil
}
