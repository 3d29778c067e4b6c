package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// listed waits until the list of a filter is of these tasks, in any order: it follows what happens within about a second.
func (s *scene) listed(what string, filter sdk.TaskFilter, want ...string) {
	s.t.Helper()
	slices.Sort(want)
	s.eventually(what, patience, func() error {
		got := []string{}
		for task, err := range s.client.Tasks(s.t.Context(), filter) {
			if err != nil {
				return dev.GiveUp(err)
			}
			got = append(got, task.ID)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("listed %q, want %q", got, want)
		}
		return nil
	})
}

func TestListByEveryFilter(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("ann", dev.Worker{Slots: 3})
	done := s.delegate(script{"*": {`result:true`}})
	failed := s.delegate(script{"*": {"fail:broken:final"}}, func(r *sdk.TaskRequest) { r.Retry, r.Type = &sdk.Retry{MaxAttempts: 1}, sdk.TypeCodeRefactor })
	runs := s.delegate(script{"*": {"until:go", `result:true`}}, func(r *sdk.TaskRequest) { r.Priority = sdk.PriorityHigh })
	asks := s.delegate(script{"*": {"ask:Which port?"}})
	s.ended(done.ID)
	s.ended(failed.ID)
	waits := s.delegate(nil, func(r *sdk.TaskRequest) { r.Type, r.AgentID = sdk.TypeCodeReview, "bob" })
	stopped := s.delegate(nil, func(r *sdk.TaskRequest) { r.Type = sdk.TypeCodeTest })
	_, err := s.client.CancelTask(t.Context(), stopped.ID, "")
	s.do(err)
	killed := s.delegate(nil, func(r *sdk.TaskRequest) { r.Type = sdk.TypeCodeTest })
	s.do(s.stack.Temporal().TerminateWorkflow(t.Context(), "task:"+s.project+":"+killed.ID, "", "by an operator"))

	all := []string{done.ID, failed.ID, runs.ID, asks.ID, waits.ID, stopped.ID, killed.ID}
	s.listed("all", sdk.TaskFilter{}, all...)
	s.listed("all since the first", sdk.TaskFilter{Since: done.CreatedAt}, all...)
	s.listed("since the last", sdk.TaskFilter{Since: killed.CreatedAt}, killed.ID)
	s.listed("open", sdk.TaskFilter{Status: sdk.StatusOpen}, runs.ID, asks.ID, waits.ID)
	s.listed("queued", sdk.TaskFilter{Status: sdk.StatusQueued}, waits.ID)
	s.listed("running", sdk.TaskFilter{Status: sdk.StatusRunning}, runs.ID)
	s.listed("input required", sdk.TaskFilter{Status: sdk.StatusInputRequired}, asks.ID)
	s.listed("completed", sdk.TaskFilter{Status: sdk.StatusCompleted}, done.ID)
	s.listed("failed", sdk.TaskFilter{Status: sdk.StatusFailed}, failed.ID, killed.ID)
	s.listed("cancelled", sdk.TaskFilter{Status: sdk.StatusCancelled}, stopped.ID)
	s.listed("reviewers", sdk.TaskFilter{Role: sdk.RoleReviewer}, waits.ID)
	s.listed("a type", sdk.TaskFilter{Type: sdk.TypeCodeRefactor}, failed.ID)
	s.listed("a priority", sdk.TaskFilter{Priority: "high"}, runs.ID)
	s.listed("who is addressed", sdk.TaskFilter{AgentID: "bob"}, waits.ID)
	s.listed("who had it", sdk.TaskFilter{AgentID: "ann", Status: sdk.StatusCompleted}, done.ID)
	s.listed("several", sdk.TaskFilter{Role: sdk.RoleTester, Status: sdk.StatusFailed, Priority: "medium"}, killed.ID)
	s.listed("nobody's children", sdk.TaskFilter{ParentID: done.ID, SessionID: "s", PlanID: "p"})
	for task, err := range s.client.Tasks(t.Context(), sdk.TaskFilter{Status: sdk.StatusCompleted}) {
		s.do(err)
		if task.Title != t.Name() || task.AgentID != "ann" || task.CompletedAt == nil || task.Links.UI == "" && s.stack.UIURL() != "" {
			t.Errorf("%+v", task)
		}
	}
	s.touch("go")
	s.ended(runs.ID)
	s.listed("completed after the end", sdk.TaskFilter{Status: sdk.StatusCompleted}, done.ID, runs.ID)
}

func TestPagesMissNothing(t *testing.T) {
	t.Parallel()
	const there, size = 40, 7
	s := newScene(t, sharedStack(t))
	ids := s.handOut(there, sdk.PriorityLow) // nobody works on them
	filter := sdk.TaskFilter{Status: sdk.StatusOpen, Limit: size}
	s.listed("the tasks", filter, ids...)

	missing := map[string]bool{}
	for _, id := range ids {
		missing[id] = true
	}
	pages, first := 0, ""
	for cursor := ""; ; {
		page, err := s.client.ListTasks(t.Context(), filter, cursor)
		s.do(err)
		if pages++; len(page.Items) > size {
			t.Fatalf("a page of %d", len(page.Items))
		}
		for _, task := range page.Items {
			delete(missing, task.ID)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
		if first == "" {
			first = cursor
		}
		s.handOut(3, sdk.PriorityLow)
	}
	if len(missing) > 0 || pages < 6 {
		t.Errorf("on %d pages these were missing: %v", pages, missing)
	}

	// The cursor is of this filter in this project, of any limit.
	if page, err := s.client.ListTasks(t.Context(), sdk.TaskFilter{Status: sdk.StatusOpen, Limit: 1}, first); err != nil || len(page.Items) != 1 {
		t.Errorf("with another limit: %v", err)
	}
	other := newScene(t, s.stack)
	for name, ask := range map[string]func() error{
		"another filter": func() error {
			_, err := s.client.ListTasks(t.Context(), sdk.TaskFilter{Limit: size}, first)
			return err
		},
		"another project": func() error { _, err := other.client.ListTasks(t.Context(), filter, first); return err },
		"a changed one":   func() error { _, err := s.client.ListTasks(t.Context(), filter, first[:len(first)-4]); return err },
	} {
		err := ask()
		e, ok := errors.AsType[*sdk.Error](err)
		if !ok || e.Status != http.StatusUnprocessableEntity || len(e.Faults) != 1 || e.Faults[0].Path != "query.cursor" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
