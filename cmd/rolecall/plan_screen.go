package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// planScreen shows a plan that is waited for: on a terminal its steps as a table that is drawn over itself, elsewhere lines, and with --json
// its events.
type planScreen struct {
	*console
	plan    sdk.Plan          // as far as its events have told
	omitted bool              // it has more steps than its events have told
	steps   map[string]string // of each task, its step
	saying  map[string]string // what agents say, by step
	last    string            // the place of the last event
	drawn   int               // lines of the table on the terminal
}

// newPlanScreen begins with the plan's steps as they were before anything happened, for events that tell it all again; or, where the events
// are those that come later, as they stand.
func newPlanScreen(c *console, plan *sdk.Plan, later bool) *planScreen {
	s := &planScreen{console: c, plan: *plan, steps: map[string]string{}, saying: map[string]string{}}
	s.plan.Status, s.plan.CompletedAt, s.plan.Steps = sdk.StatusRunning, nil, nil
	for _, step := range plan.Steps {
		if later && step.TaskID != "" {
			s.steps[step.TaskID] = step.ID
		}
		if !later {
			step = sdk.Step{ID: step.ID, Type: step.Type, Role: step.Role, Title: step.Title, Needs: step.Needs, Status: sdk.StepPending}
		}
		s.plan.Steps = append(s.plan.Steps, step)
	}
	return s
}

// told is an event of a plan, or why there are no more.
type told struct {
	event *sdk.Event
	err   error
}

// watch shows the plan until its last event.
func (s *planScreen) watch(ctx context.Context, client *sdk.Client, opts ...sdk.FollowOption) error {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan told)
	defer func() { // the goroutine below has ended before this returns
		cancel()
		for range events {
		}
	}()
	go func() {
		defer close(events)
		for e, err := range client.PlanEvents(ctx, s.plan.ID, append(opts, s.tryingAgain())...) {
			events <- told{e, err}
		}
	}()
	clock := time.NewTicker(redraw)
	defer clock.Stop()
	for {
		select {
		case t, open := <-events:
			if !open {
				return s.clear()
			}
			if t.err != nil {
				return joined(t.err, s.clear())
			}
			if err := s.take(t.event); err != nil {
				return err
			}
		case <-clock.C:
			if err := s.draw(time.Now()); err != nil {
				return err
			}
		}
	}
}

// goOn says how to go on after a watching that was ended.
func (s *planScreen) goOn() {
	if s.last != "" && !s.json { // else each line says where it stands
		s.note("Go on with: rolecall plan watch %s --after %s", printable(s.plan.ID, false), shortSequence(s.last))
	}
}

// take shows an event.
func (s *planScreen) take(e *sdk.Event) error {
	if e.Sequence != "" {
		s.last = e.Sequence
	}
	if s.json {
		return s.printLine(e)
	}
	s.apply(e)
	if s.width() > 0 {
		return s.draw(time.Now())
	}
	if text := planLine(e, s.steps[e.Task]); text != "" {
		return s.printf("%s  %s\n", e.Time.UTC().Format(time.TimeOnly), fit(printable(text, false), longestSummary))
	}
	return nil
}

// apply brings the plan on the screen to where an event left it.
func (s *planScreen) apply(e *sdk.Event) {
	switch e.Type {
	case sdk.EventPlanStarted:
		if d, ok := dataOf[sdk.PlanStarted](e); ok && len(s.plan.Steps) == 0 { // a coordinator's
			s.omitted = d.StepsOmitted
			for _, step := range d.Steps {
				s.plan.Steps = append(s.plan.Steps, sdk.Step{ID: step.ID, Type: step.Type, Role: step.Role, Title: step.Title, Needs: step.Needs, Status: sdk.StepPending})
			}
		}
	case sdk.EventPlanStep:
		if d, ok := dataOf[sdk.PlanStepped](e); ok {
			s.step(d, e.Time)
		}
	case sdk.EventTaskAssigned, sdk.EventTaskStarted:
		if step := s.ofTask(e); step != nil && e.Agent != "" {
			step.AgentID = e.Agent
		}
	case sdk.EventTaskProgress:
		if d, ok := dataOf[sdk.TaskProgressed](e); ok {
			s.says(e, strings.TrimSpace(progressText(d.Progress)))
		}
	case sdk.EventTaskRetrying, sdk.EventTaskFallback:
		s.says(e, summary(e))
	case sdk.EventTaskInputRequired:
		s.says(e, fmt.Sprintf("%s (answer with: rolecall task input %s --answer '<JSON>')", summary(e), e.Task))
	default: // the others change nothing that is shown
	}
}

// step brings a step to where its event left it.
func (s *planScreen) step(d sdk.PlanStepped, at time.Time) {
	step := s.plan.Step(d.Step)
	if step == nil { // of a coordinator's steps, which were too many for plan.started
		s.plan.Steps = append(s.plan.Steps, sdk.Step{ID: d.Step})
		step = &s.plan.Steps[len(s.plan.Steps)-1]
	}
	step.Status, step.Reworks, step.SkippedBecause, step.Error, step.CompletedAt = d.To, d.Reworks, d.SkippedBecause, d.Error, nil
	switch {
	case d.To == sdk.StepRunning:
		step.TaskID, step.AgentID, step.StartedAt = d.TaskID, "", new(at)
		s.steps[d.TaskID] = d.Step
		delete(s.saying, d.Step)
	case d.To.Terminal():
		step.CompletedAt = new(at)
		if d.AgentID != "" {
			step.AgentID = d.AgentID
		}
	}
}

// says notes what the agent of a step says.
func (s *planScreen) says(e *sdk.Event, text string) {
	if step := s.ofTask(e); step != nil {
		s.saying[step.ID] = printable(text, false)
	}
}

// ofTask is the step whose newest task an event is about, or nil.
func (s *planScreen) ofTask(e *sdk.Event) *sdk.Step {
	step := s.plan.Step(s.steps[e.Task])
	if step == nil || step.TaskID != e.Task {
		return nil
	}
	return step
}

// dataOf is an event's data; ok is false for data of another shape, and without any.
func dataOf[T any](e *sdk.Event) (data T, ok bool) {
	return data, json.Unmarshal(e.Data, &data) == nil
}
