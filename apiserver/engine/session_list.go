package engine

import (
	"context"
	"strings"
	"sync"

	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	statsPage  = 1000 // runs of one look for the statistics
	closePage  = 500  // runs of one look for those that are to be closed
	closesOnce = 8    // sessions that are closed at once
)

// ListSessions answers a page of a project's sessions, without what they have learnt; the filter is valid. Of an open one the counts are
// those of its last transition, and it is stale. A cursor and its turns are as in [Engine.ListTasks].
func (e *Engine) ListSessions(ctx context.Context, project string, filter sdk.SessionFilter, cursor string) (sdk.SessionPage, error) {
	items, next, err := listPage(ctx, e, project, SessionQuery(project, filter), filter.Limit, cursor, e.listRuns, e.listedSession)
	return sdk.SessionPage{Items: items, NextCursor: next}, err
}

// SessionQuery is a filter as Temporal's visibility takes it: always the sessions of one project, each once, however many runs it has had.
func SessionQuery(project string, f sdk.SessionFilter) string {
	terms := runsOf(workflows.SessionWorkflow, project)
	if f.ClientID != "" {
		terms = append(terms, workflows.AttrClient.GetName()+" = "+quote(f.ClientID))
	}
	switch f.Status {
	case "":
		terms = append(terms, "ExecutionStatus != 'ContinuedAsNew'")
	case sdk.SessionClosed:
		terms = append(terms, "ExecutionStatus IN ('Completed', 'Failed', 'Canceled', 'Terminated', 'TimedOut')")
	default:
		terms = append(terms, openTerm, workflows.AttrStatus.GetName()+" = "+quote(string(f.Status)))
	}
	return strings.Join(terms, " AND ")
}

// listedSession is the session of a listed run: as its memo has it, and as its search attributes say, which follow it.
func (e *Engine) listedSession(project string, info *workflowpb.WorkflowExecutionInfo) (sdk.Session, bool) {
	in, id, ok := workflows.ParseSessionWorkflowID(info.GetExecution().GetWorkflowId())
	if !ok || in != project {
		return sdk.Session{}, false
	}
	r := sessionRun{runHead: headOf(project, id, info)}
	if e.decodeSessionMemo(&r, info.GetMemo()) != nil { // one that can not be read leaves less to say
		r.opened, r.state = nil, nil
	}
	s := r.base()
	s.ID, s.Stale, s.Links = id, r.isOpen(), e.sessionLinks(project, id, r.runID)
	return s, true
}

// SessionStats counts a project's open sessions, of which it looks at [sdk.MaxSessionsLooked].
func (e *Engine) SessionStats(ctx context.Context, project string) (sdk.SessionStats, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*e.cfg.CallTimeout)
	defer cancel()
	stats := sdk.SessionStats{SessionsByClient: map[string]int{}}
	query := SessionQuery(project, sdk.SessionFilter{Status: sdk.SessionOpen})
	var token []byte
	for {
		runs, next, err := e.listRuns(ctx, project, query, min(statsPage, sdk.MaxSessionsLooked-stats.TotalSessions), token)
		if err != nil {
			return sdk.SessionStats{}, fault(err)
		}
		for _, info := range runs {
			stats.TotalSessions++
			if client := clientOf(info); client != "" {
				stats.SessionsByClient[client]++
			}
		}
		if token = next; len(token) == 0 || stats.TotalSessions >= sdk.MaxSessionsLooked {
			stats.ActiveClients, stats.Truncated = len(stats.SessionsByClient), len(token) > 0
			return stats, nil
		}
	}
}

// clientOf is whose session a listed run is; "" where nobody's.
func clientOf(info *workflowpb.WorkflowExecutionInfo) (client string) {
	attribute(info.GetSearchAttributes(), workflows.AttrClient.GetName(), &client)
	return client
}

// CloseClientSessions closes the open sessions of a client, those that are found: the list follows an opening within about a second. It
// answers how many it has closed, also with an error.
func (e *Engine) CloseClientSessions(ctx context.Context, project, client string) (closed int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 4*e.cfg.CallTimeout)
	defer cancel()
	query := SessionQuery(project, sdk.SessionFilter{ClientID: client, Status: sdk.SessionOpen})
	ids, err := e.sessionIDs(ctx, project, query)
	if err != nil {
		return 0, err
	}
	var mu sync.Mutex
	var work sync.WaitGroup
	places := make(chan struct{}, closesOnce)
	for _, id := range ids {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			_, failed := e.CloseSession(ctx, project, id)
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				closed++
			} else if err == nil {
				err = failed
			}
		})
	}
	work.Wait()
	return closed, err
}

// sessionIDs are those of the sessions that a query finds, at most [sdk.MaxSessionsLooked].
func (e *Engine) sessionIDs(ctx context.Context, project, query string) (ids []string, err error) {
	var token []byte
	for {
		runs, next, err := e.listRuns(ctx, project, query, closePage, token)
		if err != nil {
			return nil, fault(err)
		}
		for _, info := range runs {
			if in, id, ok := workflows.ParseSessionWorkflowID(info.GetExecution().GetWorkflowId()); ok && in == project {
				ids = append(ids, id)
			}
		}
		if token = next; len(token) == 0 || len(ids) >= sdk.MaxSessionsLooked {
			return ids, nil
		}
	}
}
