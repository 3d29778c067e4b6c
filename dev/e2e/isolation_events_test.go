package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// eventsApart shows the event log of two projects: what one publishes, the other's key can neither read, follow, share, acknowledge nor write to.
func (s *scene) eventsApart(own, foreign string) {
	s.t.Helper()
	task := s.delegate(nil, func(r *sdk.TaskRequest) { r.Role = sdk.RoleTester }) // the shop's, and nobody takes it
	// What would be wildcards or subjects of the log's own, if they were taken for more than text.
	subjects := []string{"", "*", ">", "a.*.b", "rc.shop.>", "rc.shop.t." + task.ID, "a b", "task/" + task.ID, "..", "a%2Eb"}
	filters := []sdk.EventFilter{{Types: sdk.EventPatterns{"*"}}, {Types: sdk.EventPatterns{"apart.*", "task.*"}}}
	for _, subject := range subjects {
		filters = append(filters, sdk.EventFilter{Subject: subject})
	}
	type side struct {
		project, key string
		client       *sdk.Client
		followed     []*follower
	}
	sides := []*side{{project: "shop", key: own}, {project: "bank", key: foreign}}
	for _, one := range sides {
		one.client = keyed(s.t, s.stack, one.key, "")
		for _, filter := range filters {
			filter.FromStart = true
			one.followed = append(one.followed, (&scene{t: s.t, client: one.client}).follow(filter))
		}
	}
	for _, one := range sides {
		var events []sdk.EventRequest
		for i, subject := range subjects {
			events = append(events, sdk.EventRequest{Type: "apart.told", ID: fmt.Sprint("apart-", i), Subject: subject, Data: json.RawMessage(`{"of":"` + one.project + `"}`)})
		}
		list, err := one.client.Publish(s.t.Context(), events...)
		s.do(err)
		for _, p := range list { // the same ids as the other's
			if p.Duplicate {
				s.t.Errorf("%s's event is taken for another's: %+v", one.project, p)
			}
		}
	}
	for _, one := range sides {
		for i, filter := range filters {
			f, kept := one.followed[i], &follower{s: s}
			s.eventually("what is followed", patience, f.hasTold(filter.Subject))
			filter.FromStart = true
			for e, err := range one.client.Events(s.t.Context(), filter) {
				s.do(err)
				kept.take(e)
			}
			s.do(kept.hasTold(filter.Subject)())
			for _, e := range append(f.all(), kept.all()...) {
				if e.Project != one.project || e.Type == "apart.told" && string(e.Data) != `{"of":"`+one.project+`"}` {
					s.t.Errorf("%s is told by %+v of %s's %s %s", one.project, filter, e.Project, e.Type, e.Data)
				}
			}
		}
	}
	s.sharedApart(sides[0].client, sides[1].client)
	for _, key := range []string{own, foreign} {
		s.guessesRefused(key)
		s.forgeriesRefused(key)
	}
}

// hasTold returns what returns nil once the event of a subject was there.
func (f *follower) hasTold(subject string) func() error {
	return func() error {
		list := f.all()
		for _, e := range list {
			if e.Type == "apart.told" && (subject == "" || e.Subject == subject) {
				return nil
			}
		}
		return fmt.Errorf("none of %d is of the subject %q", len(list), subject)
	}
}

func (f *follower) all() []*sdk.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*sdk.Event(nil), f.events...)
}

// sharedApart: two subscriptions of one name in two projects have nothing of each other.
func (s *scene) sharedApart(mine, theirs *sdk.Client) {
	s.t.Helper()
	request := sdk.SubscriptionRequest{Types: sdk.EventPatterns{"apart.*"}, From: "beginning"}
	for _, c := range []*sdk.Client{mine, theirs} {
		_, err := c.Durable("apart").Put(s.t.Context(), request)
		s.do(err)
	}
	pull := func(c *sdk.Client) []sdk.Delivery {
		list, err := c.Durable("apart").Pull(s.t.Context(), sdk.PullRequest{Max: sdk.MaxPull, WaitMs: 10_000})
		s.do(err)
		return list
	}
	ours, others := pull(mine), pull(theirs)
	if len(ours) == 0 || len(others) == 0 {
		s.t.Fatalf("%d and %d events were given out", len(ours), len(others))
	}
	for _, d := range others {
		if d.Event.Project != "bank" {
			s.t.Errorf("the bank was given %s's %s", d.Event.Project, d.Event.Type)
		}
	}
	settled, err := theirs.Durable("apart").Ack(s.t.Context(), ours[0].Ack)
	s.do(err)
	if settled[0].Error == nil {
		s.t.Errorf("another project's event is acknowledged: %+v", settled[0])
	}
	if got, err := mine.Durable("apart").Get(s.t.Context()); err != nil || got.Unacked != len(ours) {
		s.t.Errorf("afterwards: %+v %v", got, err)
	}
	_, err = mine.Durable("private").Put(s.t.Context(), request)
	s.do(err)
	_, err = theirs.Durable("private").Get(s.t.Context())
	s.want(err, sdk.ErrNotFound)
	_, err = theirs.Durable("private").Pull(s.t.Context(), sdk.PullRequest{Max: 1})
	s.want(err, sdk.ErrNotFound)
	_ = theirs.Durable("private").Delete(s.t.Context()) // which may say that there is none
	_, err = mine.Durable("private").Get(s.t.Context())
	s.do(err)
}

func (s *scene) want(err, want error) {
	s.t.Helper()
	if !errors.Is(err, want) {
		s.t.Errorf("%v, want %v", err, want)
	}
}

// guessesRefused tries filters and names that are more than text to the log.
func (s *scene) guessesRefused(key string) {
	s.t.Helper()
	for _, types := range []string{"%3E", "a.*.b", "*.b", "*.*", "a.%3E", "a%2E*%2Eb", "a%2E%2E", "a%20b", "rc.shop.%3E", "*%00", "%252E*", "shop/*"} {
		for _, path := range []string{"/v1/events?types=", "/v1/events/stream?after=0&types="} {
			if status, body := s.send(http.MethodGet, path+types, key, "", ""); status != http.StatusUnprocessableEntity || !strings.Contains(body, "query.types") {
				s.t.Errorf("GET %s%s: %d %s", path, types, status, body)
			}
		}
	}
	for _, name := range []string{"*", "%3E", "a.b", "a%2Eb", "a%20b", "..%2Fshop%2Fapart", "shop.apart", "shop%2Fapart", "%2A"} {
		for _, method := range []string{http.MethodPut, http.MethodGet, http.MethodDelete} {
			status, body := s.send(method, "/v1/subscriptions/"+name, key, "application/json", `{}`)
			if status != http.StatusUnprocessableEntity && status != http.StatusNotFound {
				s.t.Errorf("%s of the subscription %s: %d %s", method, name, status, body)
			}
		}
	}
	for _, types := range []string{">", "a.*.b", "rc.shop.>", "a b", ""} {
		if status, body := s.send(http.MethodPut, "/v1/subscriptions/guess", key, "application/json", `{"types":["`+types+`"]}`); status != http.StatusUnprocessableEntity {
			s.t.Errorf("a subscription to %q: %d %s", types, status, body)
		}
	}
}

// forgeriesRefused publishes what is not a caller's to say.
func (s *scene) forgeriesRefused(key string) {
	s.t.Helper()
	const plain, cloud = "application/json", "application/cloudevents+json"
	ce := func(more string) string {
		return `{"specversion":"1.0","id":"forged","source":"/s","type":"apart.forged"` + more + `}`
	}
	data := func(bytes int) string {
		return `{"type":"apart.large","data":"` + strings.Repeat("x", bytes-2) + `"}`
	}
	type forgery struct{ contentType, body, code, says string }
	list := []forgery{
		{plain, data(sdk.MaxEventData + 1), "invalid_input", "262144"},
		{cloud, ce(`,"data":"` + strings.Repeat("x", sdk.MaxEventData-1) + `"`), "invalid_input", "262144"},
	}
	for _, kind := range []string{"task.completed", "task.anything", "session.closed", "plan.step", "agent.heartbeat"} {
		list = append(list, forgery{plain, `{"type":"` + kind + `"}`, "reserved_type", "$.type"},
			forgery{plain, `[{"type":"apart.told"},{"type":"` + kind + `"}]`, "reserved_type", "$[1].type"},
			forgery{cloud, strings.Replace(ce(""), "apart.forged", kind, 1), "reserved_type", "$.type"})
	}
	for _, name := range []string{"organization", "project", "agent", "task", "session", "plan", "sequence", "seq"} {
		list = append(list, forgery{plain, `{"type":"apart.forged","` + name + `":"shop"}`, "invalid_input", "$." + name},
			forgery{cloud, ce(`,"` + name + `":"shop"`), "invalid_input", "$." + name})
	}
	list = append(list, forgery{plain, `{"type":"apart.forged","source":"task/shop"}`, "invalid_input", "$.source"})
	for _, kind := range []string{"*", ">", "a.*.b", "a b", "a..b", "rc.shop.>"} {
		list = append(list, forgery{plain, `{"type":"` + kind + `"}`, "invalid_input", "$.type"})
	}
	for _, f := range list {
		status, body := s.send(http.MethodPost, "/v1/events", key, f.contentType, f.body)
		if status != http.StatusUnprocessableEntity || !strings.Contains(body, `"`+f.code+`"`) || !strings.Contains(body, f.says) {
			s.t.Errorf("%.120s: %d %.300s, want %s at %s", f.body, status, body, f.code, f.says)
		}
	}
	if status, body := s.send(http.MethodPost, "/v1/events", key, plain, data(sdk.MaxEventData)); status != http.StatusCreated {
		s.t.Errorf("as much data as there may be: %d %s", status, body)
	}
	kept, err := keyed(s.t, s.stack, key, "").ListEvents(s.t.Context(), sdk.EventFilter{Types: sdk.EventPatterns{"apart.forged"}, FromStart: true}, "")
	s.do(err)
	if len(kept.Items) != 0 {
		s.t.Errorf("forged events were kept: %+v", kept.Items)
	}
}
