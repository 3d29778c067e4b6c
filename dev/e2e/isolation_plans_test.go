package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// aPlan creates a plan with a key.
func (s *scene) aPlan(key string) sdk.Plan {
	s.t.Helper()
	status, body := s.ask(route{http.MethodPost, "/v1/plans"}, "", key, "")
	var plan sdk.Plan
	if err := json.Unmarshal([]byte(body), &plan); err != nil || status != http.StatusCreated || plan.ID == "" {
		s.t.Fatalf("a plan: %d %s", status, body)
	}
	return plan
}

// listedPlans is a page of the plans of a key's project.
func (s *scene) listedPlans(key, query string) (page sdk.PlanPage, err error) {
	s.t.Helper()
	status, body := s.ask(route{http.MethodGet, "/v1/plans" + query}, "", key, "")
	if status != http.StatusOK {
		return page, fmt.Errorf("%d %s", status, body)
	}
	return page, json.Unmarshal([]byte(body), &page)
}

// planProbe is a value of a parameter for the list of plans, in which no task is.
func (s *scene) planProbe(name string, p probe, own string) probe {
	s.t.Helper()
	p.hits = false
	if name != "cursor" {
		return p
	}
	for range 2 {
		s.aPlan(own)
	}
	s.eventually("a second page of plans", patience, func() error {
		page, err := s.listedPlans(own, "?limit=1")
		if err == nil && page.NextCursor == "" {
			err = errors.New("one page holds all")
		}
		p.value = page.NextCursor
		return err
	})
	return p
}

// plansApart: whatever the other key asks of a plan, the answer is that of a plan which is nowhere; with its own key it is there.
func (s *scene) plansApart(own, foreign string) {
	s.t.Helper()
	plan := s.aPlan(own)
	const nowhere = "0198c0de-0000-7000-8000-000000000000"
	instance := regexp.MustCompile(`"instance":"[^"]*",?`)
	asked := 0
	for _, o := range s.operations() {
		if !o.ofPlan() {
			continue
		}
		asked++
		for _, project := range []string{"", "bank"} {
			status, body := s.ask(o.route, plan.ID, foreign, project)
			_, none := s.ask(o.route, nowhere, foreign, project)
			if status != http.StatusNotFound || instance.ReplaceAllString(body, "") != instance.ReplaceAllString(none, "") || strings.Contains(body, plan.ID) {
				s.t.Errorf("%s %s with the other key: %d %s, and %s for a plan that is nowhere", o.method, o.path, status, body, none)
			}
		}
		s.disguised(o, plan.ID, foreign)
	}
	if asked != 3 {
		s.t.Errorf("%d routes about a plan", asked)
	}
	s.eventually("the plan in its own list", patience, func() error {
		page, err := s.listedPlans(own, "?limit=200")
		if err == nil && !holdsPlan(page, plan.ID) {
			err = errors.New("it is not there")
		}
		return err
	})
	page, err := s.listedPlans(foreign, "?limit=200")
	if s.do(err); holdsPlan(page, plan.ID) {
		s.t.Error("the other key lists the plan")
	}
	s.eventually("the tasks of the plan, which the other key does not list", patience, func() error {
		query := route{http.MethodGet, "/v1/tasks?planId=" + plan.ID}
		if status, body := s.ask(query, "", foreign, ""); status != http.StatusOK || strings.Contains(body, plan.ID) {
			s.t.Errorf("%s with the other key: %d %s", query.path, status, body)
		}
		if status, body := s.ask(query, "", own, ""); status != http.StatusOK || !strings.Contains(body, plan.ID+"-p-") {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	status, body := s.ask(route{http.MethodGet, "/v1/plans/{id}"}, plan.ID, own, "")
	var now sdk.Plan
	if s.do(json.Unmarshal([]byte(body), &now)); status != http.StatusOK || now.Status.Terminal() {
		s.t.Errorf("the plan after all that: %d %s", status, body)
	}
	for _, o := range s.operations() {
		if o.ofPlan() { // its cancellation, too, leaves it there
			if status, body := s.ask(o.route, plan.ID, own, ""); status >= 300 {
				s.t.Errorf("%s %s with its own key: %d %s", o.method, o.path, status, body)
			}
		}
	}
}

func holdsPlan(page sdk.PlanPage, id string) bool {
	return slices.ContainsFunc(page.Items, func(p sdk.Plan) bool { return p.ID == id })
}
