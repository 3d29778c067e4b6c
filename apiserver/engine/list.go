package engine

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// pageBytes is how much Temporal may answer for one page, which keeps the page itself below as much: fewer tasks then.
const pageBytes = 3 << 20

// largeAtOnce is how many runs are asked for at once whose size is not known, and may be 1 MiB each.
const largeAtOnce = 20

// ListTasks answers a page of a project's tasks; the filter is valid. A cursor that came with another filter is invalid_input, as is
// one that was damaged. A project that asks for too many pages waits for its turn, and is rate_limited when that is too far away.
func (e *Engine) ListTasks(ctx context.Context, project string, filter sdk.TaskFilter, cursor string) (sdk.TaskPage, error) {
	items, next, err := listPage(ctx, e, project, ListQuery(project, filter), filter.Limit, cursor, e.listRuns, e.summary)
	return sdk.TaskPage{Items: items, NextCursor: next}, err
}

// lister answers at most so many of the runs that a query finds, from those that a token says, and the token of those that follow.
type lister func(ctx context.Context, project, query string, size int, token []byte) (runs []*workflowpb.WorkflowExecutionInfo, next []byte, err error)

// listPage answers a page of the runs that list finds, as of tells of them; those that it does not know are left out. A limit of 0 is
// [sdk.DefaultPage].
func listPage[T any](
	ctx context.Context, e *Engine, project, query string, limit int, cursor string,
	list lister, of func(project string, info *workflowpb.WorkflowExecutionInfo) (T, bool),
) (items []T, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.CallTimeout)
	defer cancel()
	items = []T{}
	token, err := ParseCursor(query, cursor)
	if err != nil {
		return items, "", err
	}
	if limit == 0 {
		limit = sdk.DefaultPage
	}
	runs, following, err := list(ctx, project, query, limit, token)
	if err != nil {
		return items, "", listFault(err, cursor)
	}
	for _, info := range runs {
		if item, ok := of(project, info); ok {
			items = append(items, item)
		}
	}
	next, err = nextCursor(query, following)
	return items, next, err
}

// listLarge is listRuns for runs of which each may be large: it asks for a few, and then for those that fit beside them if they are alike.
func (e *Engine) listLarge(ctx context.Context, project, query string, size int, token []byte) (runs []*workflowpb.WorkflowExecutionInfo, next []byte, err error) {
	first := min(size, largeAtOnce)
	runs, next, err = e.listRuns(ctx, project, query, first, token)
	if err != nil || len(runs) < first || len(next) == 0 {
		return runs, next, err
	}
	bytes := 1
	for _, info := range runs {
		bytes += proto.Size(info)
	}
	more := min(size-first, first*pageBytes/bytes-first)
	if more <= 0 {
		return runs, next, nil
	}
	rest, following, err := e.listRuns(ctx, project, query, more, next)
	if err != nil {
		return runs, next, nil //nolint:nilerr // the next page begins with those that did not come
	}
	return append(runs, rest...), following, nil
}

// listRuns answers at most so many runs and the token of those that follow; fewer where they would be too large together.
func (e *Engine) listRuns(ctx context.Context, project, query string, size int, token []byte) (runs []*workflowpb.WorkflowExecutionInfo, next []byte, err error) {
	for {
		resp, bytes, err := e.listChunk(ctx, project, query, size, token)
		n := len(resp.GetExecutions())
		switch {
		case size > 1 && err != nil && isTooLarge(err):
			size /= 2
		case n > 1 && bytes > pageBytes:
			size = max(min(size/2, n*pageBytes/bytes), 1)
		default:
			return resp.GetExecutions(), resp.GetNextPageToken(), err
		}
	}
}

// listChunk answers some runs, and how large the answer was. It takes one of the project's turns.
func (e *Engine) listChunk(ctx context.Context, project, query string, size int, token []byte) (*workflowservice.ListWorkflowExecutionsResponse, int, error) {
	leave, err := e.listTurn(ctx, project)
	if err != nil {
		return nil, 0, err
	}
	defer leave()
	resp, err := e.temporal.WorkflowService().ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: e.cfg.Namespace, PageSize: int32(size), NextPageToken: token, Query: query, //nolint:gosec // at most sdk.MaxPage
	})
	return resp, proto.Size(resp), err
}

// isTooLarge reports whether an answer did not fit into one gRPC message.
func isTooLarge(err error) bool {
	return isOverloaded(err) && (strings.Contains(err.Error(), "larger than max") || strings.Contains(err.Error(), "message too large"))
}

// listFault is the error of a list that goes on at cursor. The query is ours, so what Temporal finds wrong with it then is that place.
func listFault(err error, cursor string) *sdk.Error {
	_, invalid := errors.AsType[*serviceerror.InvalidArgument](err)
	if cursor != "" && invalid && strings.Contains(strings.ToLower(err.Error()), "token") {
		return badCursor()
	}
	return fault(err)
}

// summary is the task of a listed run. Whether it has ended, and how, is the run's status; the rest is what its search attributes
// say, which follow it, and its memo, which has it as it was created.
func (e *Engine) summary(project string, info *workflowpb.WorkflowExecutionInfo) (sdk.TaskSummary, bool) {
	in, id, ok := workflows.ParseTaskWorkflowID(info.GetExecution().GetWorkflowId())
	if !ok || in != project {
		return sdk.TaskSummary{}, false
	}
	var t sdk.Task // a memo that can not be read leaves less to say
	if memo, err := memoField[workflows.TaskMemo](e, info.GetMemo(), workflows.MemoTask); err == nil && memo != nil {
		t = memo.Task
	}
	s := sdk.TaskSummary{
		ID: id, Type: t.Type, Role: t.Role, Title: t.Title, Priority: t.Priority, AgentID: t.AgentID, FairnessKey: t.FairnessKey,
		ParentID: t.ParentID, RootID: t.RootID, SessionID: t.SessionID, PlanID: t.PlanID, RetryOf: t.RetryOf, CorrelationID: t.CorrelationID,
		Metadata: t.Metadata, CreatedAt: t.CreatedAt, Links: e.links(project, id, info.GetExecution().GetRunId()),
	}
	if s.CreatedAt.IsZero() {
		s.CreatedAt = info.GetStartTime().AsTime()
	}
	if s.Metadata == nil {
		s.Metadata = map[string]string{}
	}
	attributes := info.GetSearchAttributes()
	attribute(attributes, workflows.AttrRole.GetName(), &s.Role)
	attribute(attributes, workflows.AttrTaskType.GetName(), &s.Type)
	attribute(attributes, workflows.AttrAgent.GetName(), &s.AgentID)
	attribute(attributes, workflows.AttrDegraded.GetName(), &s.Degraded)
	attribute(attributes, workflows.AttrStatus.GetName(), &s.Status)
	if ended, ok := endedStatus(info.GetStatus()); ok {
		closed := info.GetCloseTime().AsTime()
		s.Status, s.CompletedAt = ended, &closed
	} else if s.Status == "" || s.Status.Terminal() { // about to end
		s.Status = sdk.StatusRunning
	}
	return s, true
}

func endedStatus(s enumspb.WorkflowExecutionStatus) (sdk.Status, bool) {
	switch s {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:
		return "", false
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return sdk.StatusCompleted, true
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return sdk.StatusCancelled, true
	default:
		return sdk.StatusFailed, true
	}
}

// ListQuery is a filter as Temporal's visibility takes it: always the tasks of one project.
func ListQuery(project string, f sdk.TaskFilter) string {
	terms := runsOf(workflows.TaskWorkflow, project)
	equal := func(name, value string) {
		if value != "" {
			terms = append(terms, name+" = "+quote(value))
		}
	}
	equal(workflows.AttrRole.GetName(), string(f.Role))
	equal(workflows.AttrTaskType.GetName(), string(f.Type))
	terms = append(terms, statusTerms(f.Status)...)
	if f.Priority != "" {
		canonical, _ := f.Priority.Canonical()
		terms = append(terms, workflows.AttrPriority.GetName()+" = "+strconv.Itoa(workflows.PriorityKey(canonical)))
	}
	equal(workflows.AttrAgent.GetName(), f.AgentID)
	equal(workflows.AttrParent.GetName(), f.ParentID)
	equal(workflows.AttrSession.GetName(), f.SessionID)
	equal(workflows.AttrPlan.GetName(), f.PlanID)
	if !f.Since.IsZero() {
		terms = append(terms, "StartTime >= "+quote(f.Since.UTC().Format(time.RFC3339Nano)))
	}
	return strings.Join(terms, " AND ")
}

// runsOf are the terms that choose the runs of one type in one project.
func runsOf(workflowType, project string) []string {
	return []string{"WorkflowType = " + quote(workflowType), workflows.AttrProject.GetName() + " = " + quote(project)}
}

// openTerm chooses runs that have not ended. One that is paused is open too; it is not named: a Temporal that can not pause one does not know
// the word.
const openTerm = "ExecutionStatus NOT IN ('Completed', 'Failed', 'Canceled', 'Terminated', 'TimedOut', 'ContinuedAsNew')"

// statusTerms choose by the run's own status whether and how a task has ended: a run that was terminated did not say so itself.
func statusTerms(s sdk.Status) []string {
	switch s {
	case "":
		return nil
	case sdk.StatusOpen:
		return []string{openTerm}
	case sdk.StatusCompleted:
		return []string{"ExecutionStatus = 'Completed'"}
	case sdk.StatusFailed:
		return []string{"ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')"}
	case sdk.StatusCancelled:
		return []string{"ExecutionStatus = 'Canceled'"}
	default:
		return []string{openTerm, workflows.AttrStatus.GetName() + " = " + quote(string(s))}
	}
}

// quote writes a value as a string of the query language. Valid filters hold nothing that needs the care.
func quote(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}
