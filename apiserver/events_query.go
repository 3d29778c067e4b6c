package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// maxPageBytes is beyond which a page of events takes no more.
const maxPageBytes = 4 << 20

// The years that the log can be asked about.
const (
	firstYear = 1970
	lastYear  = 2200
)

// headerLastEventID says where a stream goes on.
const headerLastEventID = "Last-Event-ID"

// eventRoutes registers the routes of events.
func (s *Server) eventRoutes(api huma.API) {
	about := func(method, path, id, summary string, status int) huma.Operation {
		op := operation(method, path, id, summary, status)
		op.Tags = []string{"events"}
		return op
	}
	huma.Register(api, about(http.MethodPost, "/v1/events", "publish-events", "Publish events", http.StatusCreated), s.publishEvents)
	huma.Register(api, about(http.MethodGet, "/v1/events", "list-events", "Read events that are kept", http.StatusOK), s.listEvents)
	huma.Register(api, about(http.MethodGet, "/v1/events/stream", "stream-events", "Follow events", http.StatusOK), s.streamEvents)
	huma.Register(api, about(http.MethodGet, "/v1/tasks/{id}/events", "stream-task-events", "Follow a task to its end", http.StatusOK), s.streamTaskEvents)
	huma.Register(api, about(http.MethodPost, "/v1/tasks/{id}/output", "send-task-output", "Send an agent's live output to who follows it", http.StatusAccepted), s.sendOutput)
}

// isStream reports whether a request is for a stream.
func isStream(c *gin.Context) bool { return isStreamRoute(c.Request.Method, c.FullPath()) }

func isStreamRoute(method, route string) bool {
	if method != http.MethodGet {
		return false
	}
	ofOne := strings.HasPrefix(route, "/v1/tasks/") || strings.HasPrefix(route, "/v1/sessions/") || strings.HasPrefix(route, "/v1/plans/")
	return route == "/v1/events/stream" || ofOne && strings.HasSuffix(route, "/events")
}

// eventLog is the log, or why there is none.
func (s *Server) eventLog() (*eventlog.Log, *sdk.Error) {
	if err := s.needEvents(); err != nil {
		return nil, errorOf(err)
	}
	return s.cfg.Events, nil
}

// emptyFaults refuses parameters that are there and empty: each may be a variable that was not set.
func (q query) emptyFaults() (faults []sdk.Fault) {
	for name, values := range q.values {
		if len(values) == 1 && values[0] == "" {
			faults = append(faults, sdk.Fault{Path: "query." + sdk.Cut(name, sdk.MaxMetadataKey), Message: "is empty: give it a value or leave it out"})
		}
	}
	return faults
}

// eventFilter reads types and subject.
func (q query) eventFilter() (f eventlog.Filter, faults []sdk.Fault) {
	types, err := sdk.ParseEventPatterns(q.values.Get("types"))
	if err != nil {
		faults = append(faults, sdk.Fault{Path: "query.types", Message: "must be at most " + strconv.Itoa(sdk.MaxEventPatterns) +
			" of types such as task.completed, patterns such as code.*, or *, separated by commas"})
	}
	f = eventlog.Filter{Types: types, Subject: q.values.Get("subject")}
	if len(f.Subject) > sdk.MaxEventSubject {
		faults = append(faults, sdk.Fault{Path: "query.subject", Message: "is larger than " + strconv.Itoa(sdk.MaxEventSubject) + " bytes"})
	}
	return f, faults
}

// time reads a parameter that is a time; none is zero.
func (q query) time(name string) (t time.Time, faults []sdk.Fault) {
	text := q.values.Get(name)
	if text == "" {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, []sdk.Fault{{Path: "query." + name, Message: "must be a time such as 2026-01-02T15:04:05Z; a + is sent as %2B"}}
	}
	if year := t.UTC().Year(); year < firstYear || year > lastYear {
		return t, []sdk.Fault{{Path: "query." + name, Message: fmt.Sprintf("must be in the years %d to %d", firstYear, lastYear)}}
	}
	return t, nil
}

// position reads where to begin: after a sequence, which any of the named parameters has, else since a time, else where none says.
func (q query) position(none eventlog.Position, names ...string) (eventlog.Position, []sdk.Fault) {
	since, faults := q.time("since")
	from := none
	if !since.IsZero() {
		from = eventlog.Since(since)
	}
	given := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return q.values.Get(name) == "" })
	if len(given) > 1 {
		faults = append(faults, sdk.Fault{Path: "query." + given[1], Message: "says the same as " + given[0] + ": give one of them"})
	}
	for _, name := range given {
		after, err := sdk.ParseSequence(q.values.Get(name))
		if err != nil {
			faults = append(faults, sdk.Fault{Path: "query." + name, Message: "must be the sequence of an event: a whole number of at most 20 digits"})
		}
		from = eventlog.After(after)
	}
	return from, faults
}

// lastEventID reads the header of a reader that goes on; given is false without it.
func lastEventID(values []string) (after uint64, given bool, faults []sdk.Fault) {
	if len(values) == 0 {
		return 0, false, nil
	}
	after, err := sdk.ParseSequence(values[0])
	if err != nil || len(values) > 1 {
		return 0, true, []sdk.Fault{{Path: "header." + headerLastEventID, Message: "must be given once and be the id of an event: a whole number of at most 20 digits"}}
	}
	return after, true, nil
}

// checkReach refuses a caller of a server without keys the project of another organization, and one project too many. A log is made for
// a project when it is followed, so that following it takes its place too.
func (s *Server) checkReach(ctx context.Context) *sdk.Error {
	entry, err := s.projects.enter(callerOf(ctx))
	if err != nil {
		return err
	}
	entry.created = true
	entry.leave()
	return nil
}
