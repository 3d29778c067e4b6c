package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// chaosDeed is a kind of task: what its agents do, and what its caller does after it was handed out. Attempts may be lost at any time.
type chaosDeed struct {
	steps script
	then  func(ctx context.Context, c *chaos, id string) error
}

func chaosDeeds() []chaosDeed {
	hang := script{"*": {"progress:10", "hang"}}
	return []chaosDeed{
		{steps: script{"*": {`result:{"ok":true}`}}},
		{steps: script{"*": {"progress:10", "flood:1200", "progress:90", `result:{"ok":true}`}}},
		{steps: script{"0.1": {"progress:10", "fail:flaky:retryable"}, "*": {`result:{"ok":true}`}}},
		{steps: script{"*": {"progress:10", "fail:broken:final"}}},
		{steps: script{"0.1": {"ask:go on?"}, "*": {`result:{"ok":true}`}}, then: answerIt},
		{steps: hang, then: cancelIt},
		{steps: hang, then: terminateIt},
	}
}

// request is the request of a task that is tried so often that only what the script says ends it.
func (c *chaos) request(steps script) sdk.TaskRequest {
	input, err := json.Marshal(map[string]any{"dir": c.dir, "attempts": steps})
	if err != nil {
		c.t.Error(err)
	}
	return sdk.TaskRequest{
		Type: sdk.TypeCodeWrite, Title: "chaos", Input: input,
		Retry: &sdk.Retry{MaxAttempts: 20, InitialIntervalMs: 100}, Timeouts: &sdk.Timeouts{HeartbeatMs: 5000},
	}
}

// answerIt answers the question of a task, unless the attempt was lost before it asked.
func answerIt(ctx context.Context, c *chaos, id string) error {
	return dev.Until(ctx, chaosSettled, func(ctx context.Context) error {
		task, err := c.client.GetTask(ctx, id)
		switch {
		case err != nil:
			return err
		case task.Status.Terminal():
			return nil
		case task.InputRequest == nil:
			return fmt.Errorf("the task is %s", task.Status)
		}
		_, err = c.client.ProvideInput(ctx, id, task.InputRequest.ID, "yes")
		if errors.Is(err, sdk.ErrConflict) {
			return nil // it has been answered by a call whose own answer was lost
		}
		return err
	})
}

func cancelIt(ctx context.Context, c *chaos, id string) error {
	return dev.Until(ctx, chaosSettled, func(ctx context.Context) error {
		_, err := c.client.CancelTask(ctx, id, "enough")
		return err
	})
}

// terminateIt ends a task's run in Temporal, past rolecall.
func terminateIt(ctx context.Context, c *chaos, id string) error {
	c.mu.Lock()
	c.terminated[id] = true
	c.mu.Unlock()
	return dev.Until(ctx, chaosSettled, func(ctx context.Context) error {
		err := c.stack.Temporal().TerminateWorkflow(ctx, workflows.TaskWorkflowID(c.project, id), "", "chaos")
		if _, ended := errors.AsType[*serviceerror.NotFound](err); ended {
			return nil // by a call whose answer was lost
		}
		return err
	})
}

// settled waits until no run goes on, and the log has an end of every task that was accepted.
func (c *chaos) settled(ctx context.Context) {
	c.t.Helper()
	if err := dev.Until(ctx, chaosSettled, c.nothingGoesOn); err != nil {
		c.t.Errorf("%s after the last kill: %v", chaosSettled, err)
	}
}

func (c *chaos) nothingGoesOn(ctx context.Context) error {
	runs, err := c.stack.Temporal().ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("WorkflowType IN (%q, %q) AND ExecutionStatus = 'Running'", workflows.TaskWorkflow, workflows.PublishEventsWorkflow),
	})
	if err != nil {
		return err
	}
	var ids []string
	for _, run := range runs.GetExecutions() {
		ids = append(ids, run.GetExecution().GetWorkflowId())
		// One whose caller had no answer has nobody to end it.
		if _, id, ok := workflows.ParseTaskWorkflowID(ids[len(ids)-1]); ok && c.ends[id] == "" {
			if _, err := c.client.CancelTask(ctx, id, "nobody waits for it"); err != nil {
				return err
			}
		}
	}
	if len(ids) > 0 {
		return fmt.Errorf("these runs go on: %q", ids)
	}
	open := map[string]bool{}
	for id := range c.ends {
		open[id] = true
	}
	for e, err := range c.client.Events(ctx, sdk.EventFilter{FromStart: true, Limit: sdk.MaxPage}) {
		switch {
		case err != nil:
			return err
		case e.Type == sdk.EventTaskCreated:
			open[e.Task] = true
		case terminal(e.Type):
			delete(open, e.Task)
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("the log has no end of %d tasks: %q", len(open), slices.Collect(maps.Keys(open)))
	}
	return nil
}

// checkTasks checks every story: 1, 2, 3 … once and in order, with one terminal event, which says what the caller was told.
func (c *chaos) checkTasks(kept []sdk.Event) {
	stories := map[string][]sdk.Event{}
	for i, e := range kept {
		if i > 0 && e.Sequence <= kept[i-1].Sequence {
			c.t.Errorf("after event %s comes %s", kept[i-1].Sequence, e.Sequence)
		}
		if e.Task != "" {
			stories[e.Task] = append(stories[e.Task], e)
		}
	}
	for id, events := range stories {
		var told []string
		var ends []sdk.EventType
		whole := c.terminated[id] || events[0].Type == sdk.EventTaskCreated // what a terminated run had not published is lost
		for i, e := range events {
			told = append(told, fmt.Sprintf("%d %s", e.Seq, e.Type))
			whole = whole && e.Seq == i+1
			if terminal(e.Type) {
				ends = append(ends, e.Type)
			}
		}
		if !whole || len(ends) != 1 {
			c.t.Errorf("task %s is told as %q", id, told)
			continue
		}
		if status, accepted := c.ends[id]; accepted && ends[0] != sdk.EventType("task."+string(status)) {
			c.t.Errorf("task %s is %s, and its story ends with %s", id, status, ends[0])
		}
	}
	ends := map[sdk.Status]int{}
	for id, status := range c.ends {
		ends[status]++
		if len(stories[id]) == 0 {
			c.t.Errorf("task %s was accepted, and nothing is told of it", id)
		}
	}
	for _, status := range []sdk.Status{sdk.StatusCompleted, sdk.StatusFailed, sdk.StatusCancelled} {
		if ends[status] == 0 {
			c.t.Errorf("no task is %s: %v", status, ends)
		}
	}
	c.t.Logf("%d tasks were accepted: %v; the log tells of %d; %d calls had no answer", len(c.ends), ends, len(stories), c.refused)
}

// checkPublished checks that every acknowledged event is in the log once, where the answer said, and every other at most once.
func (c *chaos) checkPublished(kept []sdk.Event) {
	at := map[string][]string{}
	acknowledged := 0
	for _, e := range kept {
		if e.Type == chaosEvent {
			at[e.ID] = append(at[e.ID], e.Sequence)
		}
	}
	for id, sequence := range c.sent {
		if sequence != "" {
			acknowledged++
		}
		if sequence != "" && !slices.Equal(at[id], []string{sequence}) || len(at[id]) > 1 {
			c.t.Errorf("event %s was acknowledged at %q and is at %q", id, sequence, at[id])
		}
	}
	for id := range at {
		if _, sent := c.sent[id]; !sent {
			c.t.Errorf("nobody published event %s", id)
		}
	}
	if acknowledged == 0 {
		c.t.Error("no event was acknowledged")
	}
	c.t.Logf("%d events were published, %d acknowledged, %d are in the log", len(c.sent), acknowledged, len(at))
}

// checkFollowed checks that a follower was told all that was kept, once and in order. What it was told since then is of agents: how they are
// changes by itself.
func (c *chaos) checkFollowed(kept []sdk.Event) {
	c.eventually("the follower's last event", patience, func() error { return c.isTold(len(kept)) })
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(places(kept), places(c.followed[:len(kept)])); diff != "" {
		c.t.Errorf("what is kept (-) and what a follower was told (+):\n%s", diff)
	}
	for _, e := range c.followed[len(kept):] {
		if e.Agent == "" || e.Task != "" || e.Sequence <= kept[len(kept)-1].Sequence {
			c.t.Errorf("a follower was told of %s %s %s after what is kept", e.Sequence, e.Type, e.Subject)
		}
	}
}

// places are events as their sequence, type and id.
func places(events []sdk.Event) []string {
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = fmt.Sprintf("%s %s %s %d", e.Sequence, e.Type, e.ID, e.Seq)
	}
	return list
}
