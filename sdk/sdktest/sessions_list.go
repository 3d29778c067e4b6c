package sdktest

import (
	"context"
	"maps"

	"github.com/rolecall-dev/rolecall/sdk"
)

func (s *session) place() place { return placeOf(s.number, s.ended) }

// ListSessions implements [apiserver.Sessions].
func (e *engine) ListSessions(_ context.Context, project string, filter sdk.SessionFilter, cursor string) (sdk.SessionPage, error) {
	page := sdk.SessionPage{Items: []sdk.Session{}}
	e.mu.Lock()
	defer e.seen()
	query := "sessions/" + project + "/" + filter.ClientID + "/" + string(filter.Status)
	chosen, next, err := turn(query, cursor, filter.Limit, func(from position) []*session {
		return e.chosenSessions(project, filter, from)
	})
	for _, s := range chosen {
		item := s.record()
		item.Lessons, item.FollowUps, item.EpisodeRefs = []string{}, []string{}, []string{}
		page.Items = append(page.Items, item)
	}
	page.NextCursor = next
	return page, err
}

// chosenSessions are those that a filter chooses, in the order of a list.
func (e *engine) chosenSessions(project string, filter sdk.SessionFilter, from position) []*session {
	return inOrder(maps.Values(e.sessions), from, func(s *session) bool {
		if s.in.Project != project {
			return false
		}
		now := s.talk.Session()
		return (filter.ClientID == "" || filter.ClientID == now.ClientID) && (filter.Status == "" || filter.Status == now.Status)
	})
}

// SessionStats implements [apiserver.Sessions].
func (e *engine) SessionStats(_ context.Context, project string) (sdk.SessionStats, error) {
	stats := sdk.SessionStats{SessionsByClient: map[string]int{}}
	e.mu.Lock()
	defer e.seen()
	for _, s := range e.chosenSessions(project, sdk.SessionFilter{Status: sdk.SessionOpen}, position{}) {
		stats.TotalSessions++
		if client := s.in.Config.ClientID; client != "" {
			stats.SessionsByClient[client]++
		}
	}
	stats.ActiveClients = len(stats.SessionsByClient)
	return stats, nil
}

// CloseClientSessions implements [apiserver.Sessions].
func (e *engine) CloseClientSessions(_ context.Context, project, client string) (closed int, err error) {
	e.mu.Lock()
	defer e.done()
	for _, s := range e.chosenSessions(project, sdk.SessionFilter{ClientID: client, Status: sdk.SessionOpen}, position{}) {
		s.close(sdk.CloseRequested)
		closed++
	}
	e.dispatch()
	return closed, nil
}
