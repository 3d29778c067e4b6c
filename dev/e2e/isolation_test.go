package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// operation is a route of the API's own document with the parameters that its query may have.
type operation struct {
	route
	query []string
}

func (o operation) aboutOne() bool { return strings.Contains(o.path, "{id}") }

// operations are all that the API's own document has.
func (s *scene) operations() (found []operation) {
	s.t.Helper()
	_, body := s.ask(route{http.MethodGet, "/openapi.json"}, "", "", "")
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
		}
	}
	s.do(json.Unmarshal([]byte(body), &doc))
	queries := 0
	for path, methods := range doc.Paths {
		for method, o := range methods {
			op := operation{route: route{strings.ToUpper(method), path}}
			for _, p := range o.Parameters {
				if p.In == "query" {
					op.query = append(op.query, p.Name)
					queries++
				}
			}
			found = append(found, op)
		}
	}
	if len(found) < 5 || queries < 10 {
		s.t.Fatalf("the API has %d routes with %d parameters", len(found), queries)
	}
	order := []string{http.MethodPut, http.MethodPost, http.MethodGet, http.MethodDelete} // what is named is there when it is asked for
	slices.SortFunc(found, func(a, b operation) int { return slices.Index(order, a.method) - slices.Index(order, b.method) })
	return found
}

// probe is a value of a parameter, and whether a list that is filtered by it has the task.
type probe struct {
	value string
	hits  bool
}

// probes are values for every parameter there is, such as choose this running task of the agent w.
func (s *scene) probes(task *sdk.Task) map[string]probe {
	s.t.Helper()
	cursor := ""
	s.eventually("a second page", patience, func() error {
		page, err := s.client.ListTasks(s.t.Context(), sdk.TaskFilter{Limit: 1}, "")
		if err == nil && page.NextCursor == "" {
			err = errors.New("one page holds all")
		}
		if err == nil {
			cursor = page.NextCursor
		}
		return err
	})
	return map[string]probe{
		"role": {string(task.Role), true}, "type": {string(task.Type), true}, "status": {"running", true}, "priority": {string(task.Priority), true},
		"agentId": {"w", true}, "since": {task.CreatedAt.Add(-time.Minute).Format(time.RFC3339Nano), true}, "limit": {"200", true},
		"parentId": {task.ID, false}, "sessionId": {task.ID, false}, "planId": {task.ID, false}, "cursor": {cursor, false},
		"waitMs": {"1000", true}, "capability": {"go", true}, "clientId": {"editor", false},
		"types": {"*", false}, "subject": {"task/" + task.ID, false}, "after": {"0", false}, "until": {time.Now().Format(time.RFC3339), false}, "output": {"1", false},
	}
}

// unguessed tries what one who has another project's key may try on a running task: every parameter of every route, ids that name the
// project, and the idempotency keys of the other one. Each thing is tried with the right key as well, to show that it was no idle one.
func (s *scene) unguessed(task *sdk.Task, own, foreign string) {
	s.t.Helper()
	victim := s.delegate(nil, func(r *sdk.TaskRequest) { r.Role = sdk.RoleTester })
	s.namesake(victim.ID)
	probes := s.probes(task)
	for _, o := range s.operations() {
		for _, name := range o.query {
			p, known := probes[name]
			if !known {
				s.t.Fatalf("%s %s has the parameter %s: give it a value here", o.method, o.path, name)
			}
			switch o.path {
			case "/v1/agents":
				p = s.agentProbe(name, p)
			case "/v1/sessions":
				p = s.sessionProbe(name, p)
			case "/v1/sessions/{id}/events":
				p.value = "now"
			case "/v1/plans":
				p = s.planProbe(name, p, own)
			}
			if o.ofEvents() {
				if p.hits = o.path == "/v1/events" && name != "until"; name == "cursor" {
					p.value = "0" // a sequence
				}
			}
			s.probed(o, name, p, task, own, foreign)
		}
		if o.aboutOne() {
			s.disguised(o, task.ID, foreign)
		}
		if status, body := s.ask(o.route, victim.ID, own, ""); slices.Contains([]int{401, 403, 404, 405, 422}, status) && !strings.HasSuffix(o.path, "/input") && !o.ofLease() && !o.ofSession() && !o.ofPlan() || status >= 500 {
			s.t.Errorf("%s %s with its own key: %d %s", o.method, o.path, status, body)
		}
	}
	s.waitsForNobody(task.ID, foreign)
	s.keysApart(own, foreign)
}

// namesake registers an agent with the id of a task, so that what asks a route about that id finds it.
func (s *scene) namesake(id string) {
	s.t.Helper()
	_, err := s.client.RegisterAgent(s.t.Context(), sdk.AgentRequest{ID: id, Name: "x", Role: sdk.RoleCoder, Capabilities: []string{"go"}})
	s.do(err)
}

// agentProbe is a value of a parameter for the list of agents, in which the task has a namesake.
func (s *scene) agentProbe(name string, p probe) probe {
	s.t.Helper()
	switch name {
	case "role":
		return probe{string(sdk.RoleCoder), true}
	case "status":
		return probe{string(sdk.AgentIdle), false} // it says nothing more, and is offline some day
	case "cursor":
		page, err := s.client.ListAgents(s.t.Context(), sdk.AgentFilter{Limit: 1}, "")
		s.do(err)
		if page.NextCursor == "" {
			s.t.Error("one page holds all agents")
		}
		return probe{page.NextCursor, false}
	default:
		return p
	}
}

// sessionProbe is a value of a parameter for the list of sessions, in which no task is.
func (s *scene) sessionProbe(name string, p probe) probe {
	s.t.Helper()
	p.hits = false
	switch name {
	case "status":
		p.value = string(sdk.SessionOpen)
	case "cursor":
		for range 2 {
			_, err := s.client.OpenSession(s.t.Context(), sdk.SessionConfig{ClientID: "editor"})
			s.do(err)
		}
		s.eventually("a second page of sessions", patience, func() error {
			page, err := s.client.ListSessions(s.t.Context(), sdk.SessionFilter{Limit: 1}, "")
			if err == nil && page.NextCursor == "" {
				err = errors.New("one page holds all")
			}
			if err == nil {
				p.value = page.NextCursor
			}
			return err
		})
	}
	return p
}

// sessionsApart: whatever the other key asks of a session, the answer is that of a session which is nowhere; with its own key it is there.
func (s *scene) sessionsApart(own, foreign string) {
	s.t.Helper()
	session, err := s.client.OpenSession(s.t.Context(), sdk.SessionConfig{ClientID: "mine"})
	s.do(err)
	const nowhere = "0198c0de-0000-7000-8000-000000000000"
	instance := regexp.MustCompile(`"instance":"[^"]*",?`)
	asked := 0
	for _, o := range s.operations() {
		if !o.ofSession() {
			continue
		}
		asked++
		for _, project := range []string{"", "bank"} {
			status, body := s.ask(o.route, session.ID(), foreign, project)
			_, none := s.ask(o.route, nowhere, foreign, project)
			if status != http.StatusNotFound || instance.ReplaceAllString(body, "") != instance.ReplaceAllString(none, "") || strings.Contains(body, session.ID()) {
				s.t.Errorf("%s %s with the other key: %d %s, and %s for a session that is nowhere", o.method, o.path, status, body, none)
			}
		}
		s.disguised(o, session.ID(), foreign)
	}
	if asked != 4 {
		s.t.Errorf("%d routes about a session", asked)
	}
	theirs := keyed(s.t, s.stack, foreign, "")
	if n, err := theirs.CloseClientSessions(s.t.Context(), "mine"); err != nil || n != 0 {
		s.t.Errorf("the other key closed %d sessions: %v", n, err)
	}
	if stats, err := theirs.SessionStats(s.t.Context()); err != nil || stats.SessionsByClient["mine"] != 0 {
		s.t.Errorf("the other key counts %+v: %v", stats, err)
	}
	for listed, err := range theirs.Sessions(s.t.Context(), sdk.SessionFilter{}) {
		if s.do(err); listed.ID == session.ID() {
			s.t.Error("the other key lists the session")
		}
	}
	if now, err := session.Get(s.t.Context()); err != nil || now.Status != sdk.SessionOpen {
		s.t.Errorf("the session after all that: %+v, %v", now, err)
	}
	for _, o := range s.operations() {
		if o.ofSession() { // its close is the last, since operations are in that order
			if status, body := s.ask(o.route, session.ID(), own, ""); status >= 300 {
				s.t.Errorf("%s %s with its own key: %d %s", o.method, o.path, status, body)
			}
		}
	}
}

// probed sends a request with one parameter, with both keys.
func (s *scene) probed(o operation, name string, p probe, task *sdk.Task, own, foreign string) {
	s.t.Helper()
	r := route{o.method, o.path + "?" + url.Values{name: {p.value}}.Encode()}
	instance := regexp.MustCompile(`"instance":"[^"]*",?`)
	want := http.StatusOK
	switch {
	case o.aboutOne():
		want = http.StatusNotFound
	case name == "cursor" && !o.ofEvents():
		want = http.StatusUnprocessableEntity
	}
	for _, project := range []string{"", "bank"} {
		status, body := s.ask(r, task.ID, foreign, project)
		body = instance.ReplaceAllString(body, "") // which is the request's own path
		if status != want || strings.Contains(body, task.ID) || strings.Contains(body, task.Title) {
			s.t.Errorf("%s %s with the other key: %d %s, want %d", r.method, r.path, status, body, want)
		}
	}
	if strings.HasSuffix(o.path, "/dead") || o.ofSession() || o.ofPlan() {
		return // whose cursors are its own, and the task is no session and no plan
	}
	if o.path == "/v1/errors" {
		p.hits = false // the task has not failed
	}
	s.eventually(r.path+" with its own key", patience, func() error { // a list follows
		status, body := s.ask(r, task.ID, own, "")
		if status != http.StatusOK || p.hits && !strings.Contains(body, task.ID) {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
}

// disguised asks for the task by ids that would lead to it if an id were taken for more than a name within the project.
func (s *scene) disguised(o operation, id, foreign string) {
	s.t.Helper()
	for _, guess := range []string{
		"shop:" + id, "task:shop:" + id, "..%2Fshop%2F" + id, "shop%2F" + id, id + "%00", "%20" + id, strings.ToUpper(id), id + "'%20OR%20'1'='1", id + "*",
	} {
		status, body := s.ask(o.route, guess, foreign, "")
		if status != http.StatusNotFound && status != http.StatusUnprocessableEntity {
			s.t.Errorf("%s %s about %s: %d %s", o.method, o.path, guess, status, body)
		}
	}
}

// waitsForNobody: one who waits for another project's task is answered at once, as for a task that is nowhere.
func (s *scene) waitsForNobody(id, foreign string) {
	s.t.Helper()
	began := time.Now()
	status, _ := s.ask(route{http.MethodGet, "/v1/tasks/{id}?waitMs=60000"}, id, foreign, "")
	if took := time.Since(began); status != http.StatusNotFound || took > 20*time.Second {
		s.t.Errorf("a wait for another's task: %d after %s", status, took)
	}
}

// keysApart uses one idempotency key in both projects: each has a task of its own behind it.
func (s *scene) keysApart(own, foreign string) {
	s.t.Helper()
	request := func(title string) sdk.TaskRequest {
		return sdk.TaskRequest{Type: sdk.TypeResearchCodebase, Title: title}
	}
	mine, theirs := keyed(s.t, s.stack, own, ""), keyed(s.t, s.stack, foreign, "")
	key := sdk.IdempotencyKey("the same for both")
	first, err := mine.CreateTask(s.t.Context(), request("mine"), key)
	s.do(err)
	second, err := theirs.CreateTask(s.t.Context(), request("theirs"), key) // another body: no mismatch, since it is another's key
	s.do(err)
	third, err := theirs.CreateTask(s.t.Context(), request("theirs"), key)
	s.do(err)
	again, err := mine.CreateTask(s.t.Context(), request("mine"), key)
	s.do(err)
	if first.ID == second.ID || second.ID != third.ID || again.ID != first.ID || first.Title != "mine" || second.Title != "theirs" {
		s.t.Errorf("one key in two projects: %s %s, then %s %s", first.ID, second.ID, third.ID, again.ID)
	}
	if _, err := theirs.RetryTask(s.t.Context(), first.ID, key); err == nil {
		s.t.Error("another's task was retried")
	}
}

// listsApart: the whole list of each key is of its project alone.
func (s *scene) listsApart(own, foreign string) {
	s.t.Helper()
	all := func(key string) (ids []string) {
		for task, err := range keyed(s.t, s.stack, key, "").Tasks(s.t.Context(), sdk.TaskFilter{}) {
			s.do(err)
			ids = append(ids, task.ID)
		}
		return ids
	}
	mine, theirs := all(own), all(foreign)
	if len(mine) < 3 || len(theirs) < 3 {
		s.t.Errorf("%d and %d tasks are listed: that shows nothing", len(mine), len(theirs))
	}
	for _, id := range mine {
		if slices.Contains(theirs, id) {
			s.t.Errorf("both projects list %s", id)
		}
	}
}
