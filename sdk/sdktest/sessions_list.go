package sdktest

import (
	"context"
	"encoding/json"
	"slices"

	kept "github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/sdk"
)

func (s *session) place() place {
	if s.ended > 0 {
		return place{true, s.ended}
	}
	return place{false, s.number}
}

// ListSessions implements [apiserver.Sessions].
func (e *engine) ListSessions(_ context.Context, project string, filter sdk.SessionFilter, cursor string) (sdk.SessionPage, error) {
	page := sdk.SessionPage{Items: []sdk.Session{}}
	query := "sessions/" + project + "/" + filter.ClientID + "/" + string(filter.Status)
	token, err := kept.ParseCursor(query, cursor)
	if err != nil {
		return page, err
	}
	var last place
	if token != nil {
		if err := json.Unmarshal(token, &last); err != nil {
			return page, sdk.Errorf(sdk.CodeInternal, "a cursor of ours can not be read: %v", err)
		}
	}
	limit := filter.Limit
	if limit == 0 {
		limit = sdk.DefaultPage
	}
	e.mu.Lock()
	defer e.seen()
	chosen := e.chosenSessions(project, filter, token != nil, last)
	for _, s := range chosen[:min(limit, len(chosen))] {
		item := s.record()
		item.Lessons, item.FollowUps, item.EpisodeRefs = []string{}, []string{}, []string{}
		page.Items = append(page.Items, item)
	}
	if len(chosen) > limit {
		if token, err = json.Marshal(chosen[limit-1].place()); err != nil {
			return page, sdk.Errorf(sdk.CodeInternal, "a cursor can not be written: %v", err)
		}
		page.NextCursor = kept.NewCursor(query, token)
	}
	return page, nil
}

// chosenSessions are those that a filter chooses, in the order of a list; with after only those that come after a place.
func (e *engine) chosenSessions(project string, filter sdk.SessionFilter, after bool, last place) []*session {
	var list []*session
	for _, s := range e.sessions {
		now := s.talk.Session()
		if s.in.Project == project && (!after || s.place().compare(last) > 0) &&
			(filter.ClientID == "" || filter.ClientID == now.ClientID) && (filter.Status == "" || filter.Status == now.Status) {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b *session) int { return a.place().compare(b.place()) })
	return list
}

// SessionStats implements [apiserver.Sessions].
func (e *engine) SessionStats(_ context.Context, project string) (sdk.SessionStats, error) {
	stats := sdk.SessionStats{SessionsByClient: map[string]int{}}
	e.mu.Lock()
	defer e.seen()
	for _, s := range e.chosenSessions(project, sdk.SessionFilter{Status: sdk.SessionOpen}, false, place{}) {
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
	for _, s := range e.chosenSessions(project, sdk.SessionFilter{ClientID: client, Status: sdk.SessionOpen}, false, place{}) {
		s.close(sdk.CloseRequested)
		closed++
	}
	e.dispatch()
	return closed, nil
}
