package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

func progresses(s *scene) {
	gate := sdktest.NewGate()
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Progress(25, "reading").Until(gate).Progress(20, "writing").Complete("done")))
	task := s.delegate()
	s.is(task.ID, "at 25", func(t *sdk.Task) bool { return t.Progress != nil && t.Progress.Percentage == 25 })
	s.eventually("the progress in the list", func() error {
		items, err := s.client.Progress(s.Context(), task.ID)
		if err == nil && (len(items) != 1 || items[0].Phase != "reading" || items[0].Overall != 25) {
			err = fmt.Errorf("the list is %+v", items)
		}
		return err
	})
	gate.Open()
	ended := s.ended(task.ID)
	items, err := s.client.Progress(s.Context(), task.ID)
	s.do(err)
	last := items[len(items)-1]
	if last.Percentage != 20 || last.Overall != 25 || last.Phase != "writing" || *ended.Progress != last {
		s.Errorf("the last progress is %+v, that of the task %+v", last, ended.Progress)
	}
}

func progressesTwice(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(
		sdktest.Attempt().Progress(60, "writing").Fail(errors.New("the build is red")),
		sdktest.Attempt().Progress(10, "reading").Complete("done"),
	))
	task := s.delegate()
	s.Pass(time.Second)
	ended := s.ended(task.ID)
	items, err := s.client.Progress(s.Context(), task.ID)
	s.do(err)
	got := []string{}
	for _, p := range items {
		got = append(got, fmt.Sprintf("%d.%d %v %v", p.Stage, p.Attempt, p.Percentage, p.Overall))
	}
	if d := cmp.Diff([]string{"0.1 60 60", "0.2 10 60"}, got); d != "" || ended.Progress.Overall != 60 {
		s.Error(d)
	}
}

// follows lets an agent report again as soon as the caller has seen the report before: each is answered once, also one that says the
// same as the one before.
func follows(s *scene) {
	gates := []*sdktest.Gate{sdktest.NewGate(), sdktest.NewGate(), sdktest.NewGate()}
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Progress(10, "reading").Until(gates[0]).
		Progress(50, "writing").Until(gates[1]).Progress(50, "writing").Until(gates[2]).Complete("done")))
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	got := []string{}
	for p, err := range s.client.FollowTask(ctx, s.delegate().ID) {
		s.do(err)
		if len(got) < len(gates) {
			gates[len(got)].Open()
		}
		got = append(got, fmt.Sprintf("%d.%d %v %s", p.Stage, p.Attempt, p.Percentage, p.Phase))
	}
	if d := cmp.Diff([]string{"0.1 10 reading", "0.1 50 writing", "0.1 50 writing"}, got); d != "" {
		s.Error(d)
	}
}

// listed waits until a list is of these tasks; in this order where ordered is set.
func (s *scene) listed(what string, filter sdk.TaskFilter, ordered bool, want ...string) {
	s.Helper()
	if !ordered {
		slices.Sort(want)
	}
	s.eventually(what, func() error {
		got := []string{}
		for task, err := range s.client.Tasks(s.Context(), filter) {
			if err != nil {
				return err
			}
			got = append(got, task.ID)
		}
		if !ordered {
			slices.Sort(got)
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("listed %q, want %q", got, want)
		}
		return nil
	})
}

func filters(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Complete("done")))
	s.Agent(sdk.RoleDebugger, "bob", sdktest.Script(sdktest.Attempt().Ask("Well?", "")))
	done := s.delegate()
	s.ended(done.ID)
	asks := s.delegate(func(r *sdk.TaskRequest) { r.Type = sdk.TypeCodeDebug })
	s.asked(asks.ID)
	waits := s.delegate(func(r *sdk.TaskRequest) { r.Type, r.Priority = sdk.TypeCodeTest, "urgent" })
	stopped := s.delegate(func(r *sdk.TaskRequest) { r.Type = sdk.TypeCodeTest })
	s.cancel(stopped.ID)
	s.ended(stopped.ID)
	for what, c := range map[string]struct {
		filter sdk.TaskFilter
		want   []string
	}{
		"all":       {sdk.TaskFilter{}, []string{done.ID, asks.ID, waits.ID, stopped.ID}},
		"open":      {sdk.TaskFilter{Status: sdk.StatusOpen}, []string{asks.ID, waits.ID}},
		"completed": {sdk.TaskFilter{Status: sdk.StatusCompleted}, []string{done.ID}},
		"cancelled": {sdk.TaskFilter{Status: sdk.StatusCancelled}, []string{stopped.ID}},
		"asking":    {sdk.TaskFilter{Status: sdk.StatusInputRequired}, []string{asks.ID}},
		"queued":    {sdk.TaskFilter{Status: sdk.StatusQueued}, []string{waits.ID}},
		"failed":    {sdk.TaskFilter{Status: sdk.StatusFailed}, []string{}},
		"a role":    {sdk.TaskFilter{Role: sdk.RoleTester}, []string{waits.ID, stopped.ID}},
		"a type":    {sdk.TaskFilter{Type: sdk.TypeCodeWrite}, []string{done.ID}},
		"priority":  {sdk.TaskFilter{Priority: sdk.PriorityCritical}, []string{waits.ID}},
		"an agent":  {sdk.TaskFilter{AgentID: "bob"}, []string{asks.ID}},
		"since":     {sdk.TaskFilter{Since: waits.CreatedAt, Type: sdk.TypeCodeTest}, []string{waits.ID, stopped.ID}},
		"later":     {sdk.TaskFilter{Since: stopped.CreatedAt.Add(time.Second)}, []string{}},
	} {
		s.listed(what, c.filter, false, c.want...)
	}
	_, err := s.client.ListTasks(s.Context(), sdk.TaskFilter{Status: "lost"}, "")
	s.code("an unknown status", err, sdk.CodeInvalidInput, "query.status")
}

func orders(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", completing())
	first, second := s.delegate(), s.delegate(func(r *sdk.TaskRequest) { r.Role = sdk.RoleTester })
	s.ended(first.ID)
	third := s.delegate()
	s.ended(third.ID)
	fourth := s.delegate(func(r *sdk.TaskRequest) { r.Role = sdk.RoleTester })
	s.listed("open ones first, the latest first", sdk.TaskFilter{}, true, fourth.ID, second.ID, third.ID, first.ID)
}

func pages(s *scene) {
	ids := []string{}
	for range 5 {
		ids = append(ids, s.delegate().ID)
	}
	s.listed("by pages of two", sdk.TaskFilter{Limit: 2}, false, ids...)
	page, err := s.client.ListTasks(s.Context(), sdk.TaskFilter{Limit: 2}, "")
	s.do(err)
	if len(page.Items) != 2 || page.NextCursor == "" {
		s.Errorf("the first page has %d tasks", len(page.Items))
	}
	_, err = s.client.ListTasks(s.Context(), sdk.TaskFilter{Limit: 1}, page.NextCursor)
	s.do(err) // the limit is no part of the filter
	_, err = s.client.ListTasks(s.Context(), sdk.TaskFilter{Limit: 2, Role: sdk.RoleCoder}, page.NextCursor)
	s.code("the cursor of another filter", err, sdk.CodeInvalidInput, "query.cursor")
	_, err = s.client.ListTasks(s.Context(), sdk.TaskFilter{Limit: 2}, "made-up")
	s.code("a cursor that is none", err, sdk.CodeInvalidInput, "query.cursor")
}

func hasNoAgent(s *scene) {
	s.like("has_no_agent", s.waits(s.delegate().ID, sdk.WaitingNoAgent))
}

func hasAgentAway(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", completing())
	s.like("has_agent_away", s.waits(s.delegate(func(r *sdk.TaskRequest) { r.AgentID = "bob" }).ID, sdk.WaitingAgentAway))
}

func isBehind(s *scene) {
	gate := sdktest.NewGate()
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Until(gate).Complete("done")))
	first := s.delegate()
	s.running(first.ID)
	second, third := s.delegate(), s.delegate()
	s.waits(third.ID, sdk.WaitingBehind)
	gate.Open()
	s.ended(second.ID)
	if task := s.ended(third.ID); task.WaitingFor != nil {
		s.Errorf("a task that has ended waits for %+v", task.WaitingFor)
	}
}

func backsOff(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Fail(sdk.Retryable("model_busy", errors.New("try later")))))
	task := s.waits(s.delegate(func(r *sdk.TaskRequest) {
		r.Retry = &sdk.Retry{InitialIntervalMs: 120_000, MaxIntervalMs: 120_000}
	}).ID, sdk.WaitingBackingOff)
	s.like("backs_off", task)
	if w := task.WaitingFor; w.NextAttemptAt.Sub(w.Since) != 2*time.Minute {
		s.Errorf("the pause is from %s to %s", w.Since, w.NextAttemptAt)
	}
}
