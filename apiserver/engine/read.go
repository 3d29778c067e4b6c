package engine

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// sighting is a task as it was read, and where it stands while it waits.
type sighting struct {
	task  sdk.Task
	stand stand
	born  time.Time // when this engine began to create it; zero for what was read

	unbegun bool // it waits for its turn in its session, and has no run yet
}

// GetTask answers a task as it stands, and what it waits for: at most [Config.DescribeTTL] old while it runs, from its close event when
// it has ended.
func (e *Engine) GetTask(ctx context.Context, project, id string) (sdk.Task, error) {
	s, err := e.sight(ctx, project, id)
	return s.task, err
}

// sight is GetTask with what it was answered from.
func (e *Engine) sight(ctx context.Context, project, id string) (sighting, error) {
	s, ok := e.known(workflows.TaskWorkflowID(project, id))
	if !ok {
		var err error
		if s, err = e.read(ctx, project, id, false); err != nil {
			return sighting{}, err
		}
	}
	s.task = e.explain(ctx, s.stand, s.task)
	return s, nil
}

// known is the task as the caches have it.
func (e *Engine) known(workflowID string) (sighting, bool) {
	if t, ok := e.finished.get(workflowID); ok {
		return sighting{task: t}, true
	}
	return e.running.get(workflowID)
}

// look forgets what is known of a task and reads it afresh. It does not look at the queue that the task stands in.
func (e *Engine) look(ctx context.Context, project, id string) (sdk.Task, error) {
	s, err := e.sightAfresh(ctx, project, id)
	return s.task, err
}

// sightAfresh is look with what it was answered from.
func (e *Engine) sightAfresh(ctx context.Context, project, id string) (sighting, error) {
	e.forget(workflows.TaskWorkflowID(project, id))
	return e.read(ctx, project, id, true)
}

// read reads a task; whoever asks at the same time shares the answer. The read goes on when the first asker goes away.
func (e *Engine) read(ctx context.Context, project, id string, fresh bool) (sighting, error) {
	workflowID := workflows.TaskWorkflowID(project, id)
	answer := e.flight.DoChan(workflowID, guarded(func() (any, error) {
		if s, ok := e.known(workflowID); ok && !fresh { // read by another one since the caller looked
			return s, nil
		}
		ctx, cancel := context.WithTimeout(e.life, e.cfg.CallTimeout)
		defer cancel()
		asOf := time.Now()
		resp, err := e.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
		if isNotFound(err) {
			s, err := e.waiting(ctx, project, id)
			if err == nil {
				e.running.put(workflowID, s, taskBytes(s.task), asOf)
			}
			return s, err
		}
		if err != nil {
			return nil, err
		}
		s, err := e.taskOf(ctx, project, id, resp)
		if err != nil {
			return nil, err
		}
		if !s.task.Status.Terminal() {
			e.running.put(workflowID, s, taskBytes(s.task), asOf)
		}
		return s, nil
	}))
	select {
	case r := <-answer:
		if r.Err != nil {
			return sighting{}, fault(r.Err)
		}
		return r.Val.(sighting), nil
	case <-ctx.Done():
		return sighting{}, fault(context.Cause(ctx))
	}
}

// forget makes the next reader look afresh.
func (e *Engine) forget(workflowID string) {
	e.running.forget(workflowID)
	e.finished.forget(workflowID)
	e.flight.Forget(workflowID)
}

// taskOf is the task behind a describe: from the describe alone while the run is open, from its close event when it has ended.
func (e *Engine) taskOf(ctx context.Context, project, id string, resp *workflowservice.DescribeWorkflowExecutionResponse) (sighting, error) {
	r, err := e.decodeRun(resp)
	if err != nil {
		return sighting{}, err
	}
	r.project, r.id = project, id
	if err := e.completeRequest(ctx, &r); err != nil {
		return sighting{}, err
	}
	if r.status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || r.status == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED {
		t := r.openTask(e.links(project, id, r.runID))
		return sighting{task: t, stand: r.stand(t)}, nil
	}
	event, err := e.closeEvent(ctx, workflows.TaskWorkflowID(project, id), r.runID)
	if err != nil {
		return sighting{}, err
	}
	return sighting{task: e.finish(r, event)}, nil
}

// finish is the task of a closed run, kept for the next readers.
func (e *Engine) finish(seen run, event *historypb.HistoryEvent) sdk.Task {
	t := e.closedTask(seen, event)
	e.metStory(seen)
	t.Links = e.links(seen.project, seen.id, seen.runID)
	e.finished.put(workflows.TaskWorkflowID(seen.project, seen.id), t, taskBytes(t), time.Now())
	return t
}

func (e *Engine) closeEvent(ctx context.Context, workflowID, runID string) (*historypb.HistoryEvent, error) {
	events := e.temporal.GetWorkflowHistory(ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	if !events.HasNext() {
		return nil, nil
	}
	return events.Next()
}

// requestTexts are the parts of a request that may be too large for a memo.
type requestTexts struct {
	Input       json.RawMessage
	Description string
}

func (e *Engine) keepTexts(runID string, texts requestTexts) {
	e.texts.put(runID, texts, 256+len(texts.Input)+len(texts.Description), time.Now())
}

// completeRequest fills in what the memo was too small for, from the run's first event; it is read once.
func (e *Engine) completeRequest(ctx context.Context, seen *run) error {
	if seen.memo != nil && !seen.memo.Partial {
		return nil
	}
	texts, known := e.texts.get(seen.runID)
	if !known || seen.memo == nil {
		in, err := e.firstTaskInput(ctx, *seen)
		if err != nil {
			return err
		}
		task := workflows.NewTask(in, seen.started)
		texts = requestTexts{Input: task.Input, Description: task.Description}
		e.keepTexts(seen.runID, texts)
		if seen.memo == nil { // started by somebody else than this engine
			seen.memo = &workflows.TaskMemo{Task: task, Depth: in.Depth}
		}
	}
	seen.memo.Task.Input, seen.memo.Task.Description = texts.Input, texts.Description
	return nil
}

func (e *Engine) firstTaskInput(ctx context.Context, seen run) (in workflows.TaskInput, err error) {
	in, err = firstInput[workflows.TaskInput](ctx, e, workflows.TaskWorkflowID(seen.project, seen.id), seen.runID)
	in.ID, in.Project = seen.id, seen.project
	return in, err
}

func (e *Engine) links(project, id, runID string) sdk.Links {
	return sdk.Links{Self: "/v1/tasks/" + id, UI: e.uiLink(workflows.TaskWorkflowID(project, id), runID)}
}

// uiLink opens a run in the Temporal UI, the latest of its id where none is named; "" where there is no UI.
func (e *Engine) uiLink(workflowID, runID string) string {
	if e.cfg.UIURL == "" {
		return ""
	}
	link := strings.TrimRight(e.cfg.UIURL, "/") + "/namespaces/" + url.PathEscape(e.cfg.Namespace) + "/workflows/" + url.PathEscape(workflowID)
	if runID == "" {
		return link
	}
	return link + "/" + url.PathEscape(runID) + "/history"
}

// taskBytes is about what a task takes in memory.
func taskBytes(t sdk.Task) int {
	n := 2048 + len(t.Input) + len(t.Description) + 512*len(t.Attempts) + 1024*len(t.Fallback)
	for k, v := range t.Metadata {
		n += 64 + len(k) + len(v)
	}
	for _, a := range t.Answers {
		n += 256 + len(a.Prompt) + len(a.Answer)
	}
	if q := t.InputRequest; q != nil {
		n += len(q.Prompt) + len(q.Schema)
	}
	if p := t.Progress; p != nil {
		n += len(p.Message) + len(p.Delta)
	}
	if r := t.Result; r != nil {
		n += len(r.Output) + len(r.QualityGate) + len(r.Reflection)
	}
	return n
}
