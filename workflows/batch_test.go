package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	"go.temporal.io/sdk/activity"
	"google.golang.org/protobuf/proto"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestALongerBatchTellsNoOtherStory is what the outbox rests on. What a workflow task publishes can be on disk though the task is not
// recorded; it is run again then, with more in it. So whatever comes after, it has to tell the same first.
func TestALongerBatchTellsNoOtherStory(t *testing.T) {
	t.Parallel()
	succeeds := completed(func(r *activities.AttemptReport) { r.Result = &sdk.Result{Output: []byte(`1`)} })
	asks := completed(func(r *activities.AttemptReport) { r.InputRequired = &sdk.InputRequired{Prompt: "Which?"} })
	asks.name = "asks"
	ends := []incident{succeeds, asks, failed("agent_failed", false), failed("invalid_input", true), lost()}
	for name, test := range map[string]struct {
		kept      string // the history that begins it
		upTo      func(*historypb.HistoryEvent) bool
		incidents [][]incident
	}{
		"the attempt ends when the task's time is over": {"success", ofType(enumspb.EVENT_TYPE_MARKER_RECORDED), func() (sets [][]incident) {
			for _, end := range ends {
				sets = append(sets, []incident{progress(1), late(end), cancels()})
			}
			return sets
		}()},
		"before the first workflow task": {"success", nil, [][]incident{{cancelReason(), cancels(), stale()}}},
		"an attempt is open": {"success", ofType(enumspb.EVENT_TYPE_MARKER_RECORDED), func() (sets [][]incident) {
			for _, end := range ends {
				sets = append(sets, []incident{began(), progress(1), end, cancels()}, []incident{progress(1), end, cancels(), stale()},
					[]incident{progress(1), progress(2), end, cancels()})
			}
			return append(sets, []incident{began(), progress(1), cancelReason(), cancels()})
		}()},
		"a child is asked for": {"success", ofType(enumspb.EVENT_TYPE_MARKER_RECORDED), func() (sets [][]incident) {
			for _, end := range ends {
				sets = append(sets, []incident{progress(1), end, cancels(), delegates()}, []incident{progress(1), end, delegates()})
			}
			return append(sets, []incident{began(), progress(1), delegates()}, []incident{late(lost()), delegates()})
		}()},
		"a child is being started": {"delegate", ofType(enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED), func() (sets [][]incident) {
			for _, end := range ends {
				for _, child := range []incident{childStarts(), childDoesNot()} {
					sets = append(sets, []incident{progress(1), child, end, cancels()}, []incident{progress(1), child, delegates()})
				}
			}
			return sets
		}()},
		"an agent is looked for": {"capabilities", ofType(enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED), [][]incident{
			{finds(), cancels(), stale()}, {finds(), delegates()}, {findsNobody(), cancelReason(), cancels()}, {late(findsNobody()), stale(), delegates()},
		}},
		"an agent is asked again, and another one is looked for": {"capabilities", besideAnAsk, func() (sets [][]incident) {
			for _, end := range ends {
				sets = append(sets, []incident{began(), progress(1), finds(), end}, []incident{progress(1), finds(), end, cancels()},
					[]incident{progress(1), findsNobody(), end, delegates()})
			}
			return append(sets, []incident{began(), finds(), cancelReason(), cancels()}, []incident{progress(1), finds(), delegates()},
				[]incident{isNotTaken(), finds(), cancels()}, []incident{isNotTaken(), findsNobody(), stale(), delegates()})
		}()},
		"an attempt is being stopped": {"cancel", ofType(enumspb.EVENT_TYPE_TIMER_STARTED), func() (sets [][]incident) {
			for _, end := range append(ends, stops()) {
				sets = append(sets, []incident{began(), progress(1), end, fires()})
			}
			return append(sets, []incident{began(), progress(1), progress(2), fires()})
		}()},
		"the task backs off": {"retry", ofType(enumspb.EVENT_TYPE_TIMER_STARTED), [][]incident{{cancelReason(), cancels(), fires(), stale()}, {fires(), stale(), delegates()}}},
		"a question is open": {"input", ofType(enumspb.EVENT_TYPE_TIMER_STARTED), [][]incident{{cancels(), fires(), stale(), answers()}, {fires(), stale(), delegates()}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newPlayer(t, test.kept, test.upTo).compare(test.incidents)
		})
	}
}

// compare gives the worker every order of each set of incidents, with one more each time.
func (p *player) compare(sets [][]incident) {
	p.t.Helper()
	stories := map[string][]string{}
	for _, set := range sets {
		for _, order := range orders(set) {
			for n := range order {
				now := p.story(stories, order[:n+1])
				p.leadsTo(order[:n], p.story(stories, order[:n]), now)
				if answer := slices.IndexFunc(order, func(in incident) bool { return in.update }); answer >= 0 && n < answer {
					answered := append(slices.Clone(order[:n]), order[answer]) // what is run again may have lost the answer
					p.leadsTo(answered, p.story(stories, answered), now)
				}
			}
		}
	}
	p.t.Logf("%d batches", len(stories))
}

// leadsTo checks that a workflow task tells nothing first that a later one does not.
func (p *player) leadsTo(incidents []incident, first, then []string) {
	p.t.Helper()
	for i, line := range first {
		if i >= len(then) || line != then[i] {
			p.t.Errorf("%s: one workflow task after another tells, after %d that are the same,\n  %s\n  %s",
				names(incidents), i, strings.Join(first[i:], ", "), strings.Join(then[i:], ", "))
			return
		}
	}
}

// orders are those in which a set of incidents can come: a worker numbers its signals, and sends none after its attempt's end but those
// that the end does not know of; an update comes last.
func orders(set []incident) (list [][]incident) {
	if len(set) == 0 {
		return [][]incident{nil}
	}
	for i, first := range set {
		rest := slices.Delete(slices.Clone(set), i, i+1)
		smaller := first.n > 1 && slices.ContainsFunc(rest, func(o incident) bool { return o.n > 0 && o.n < first.n })
		if smaller || first.update && len(rest) > 0 {
			continue
		}
		for _, tail := range orders(rest) {
			list = append(list, append([]incident{first}, tail...))
		}
	}
	return list
}

func names(order []incident) string {
	list := make([]string, len(order))
	for i, in := range order {
		list[i] = in.name
	}
	return strings.Join(list, ", ")
}

func ofType(typ enumspb.EventType) func(*historypb.HistoryEvent) bool {
	return func(e *historypb.HistoryEvent) bool { return e.GetEventType() == typ }
}

// besideAnAsk chooses a look for an agent while one is asked.
func besideAnAsk(e *historypb.HistoryEvent) bool {
	return strings.HasPrefix(e.GetActivityTaskScheduledEventAttributes().GetActivityId(), "another-")
}

// player gives a worker workflow tasks that begin with a kept history.
type player struct {
	t    *testing.T
	f    *frontend
	base []*historypb.HistoryEvent
	runs int

	mu   sync.Mutex
	told map[string][]sdk.Event // by the run: one that is given up may go on to tell
}

// newPlayer takes a kept history up to its first event that is chosen, with what the same workflow task decided after it; nil is up to the first workflow task.
func newPlayer(t *testing.T, kept string, upTo func(*historypb.HistoryEvent) bool) *player {
	t.Helper()
	events := histories(t, "next")[kept].GetEvents()
	end := 1
	if upTo != nil {
		end = slices.IndexFunc(events, upTo) + 1
		for end < len(events) && slices.Contains([]enumspb.EventType{
			enumspb.EVENT_TYPE_MARKER_RECORDED, enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED, enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
		}, events[end].GetEventType()) {
			end++
		}
	}
	p := &player{t: t, f: newFrontend(), base: events[:end], told: map[string][]sdk.Event{}}
	workerOn(t, p.f, func(ctx context.Context, in activities.PublishEventsInput) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		run := activity.GetInfo(ctx).WorkflowExecution.RunID
		p.told[run] = append(p.told[run], in.Events...)
		return nil
	})
	return p
}

// story is what a worker tells in a workflow task that has all of the incidents.
func (p *player) story(known map[string][]string, incidents []incident) []string {
	p.t.Helper()
	key := names(incidents)
	if lines, ok := known[key]; ok {
		return lines
	}
	b, previous := &batch{t: p.t}, int64(0)
	for _, e := range p.base {
		clone, ok := proto.Clone(e).(*historypb.HistoryEvent)
		if !ok {
			p.t.Fatal("not an event")
		}
		b.events, b.at = append(b.events, clone), e.GetEventTime().AsTime()
		if e.GetWorkflowTaskStartedEventAttributes() != nil {
			previous = e.GetEventId()
		}
		switch e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() {
		case activities.ExecuteTaskName:
			b.activity = e.GetEventId()
		case activities.FindAgentName:
			b.look = e.GetEventId()
		}
		if a := e.GetStartChildWorkflowExecutionInitiatedEventAttributes(); a != nil {
			b.child, b.childID = e.GetEventId(), a.GetWorkflowId()
		}
		if a := e.GetTimerStartedEventAttributes(); a != nil {
			b.timer, b.timerName = e.GetEventId(), a.GetTimerId()
		}
	}
	if len(incidents) == 0 && len(p.base) > 1 {
		return nil // no workflow task
	}
	for _, in := range incidents {
		b.at = b.at.Add(time.Second / 10)
		in.event(b)
	}
	scheduled := b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, Attributes: &historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes{
		WorkflowTaskScheduledEventAttributes: &historypb.WorkflowTaskScheduledEventAttributes{},
	}})
	started := b.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
		WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{ScheduledEventId: scheduled},
	}})
	told, ok := p.give(b, scheduled, started, previous)
	for tries := 1; !ok; tries++ {
		if tries == 20 {
			p.t.Fatal("this machine is too slow for a local activity")
		}
		told, ok = p.give(b, scheduled, started, previous)
	}
	lines := []string{}
	for _, e := range told {
		lines = append(lines, fmt.Sprintf("%d %s%s", e.Seq, storyLine(p.t, e), wording(p.t, e)))
	}
	known[key] = lines
	return lines
}

// wording is what an event says to people.
func wording(t *testing.T, e sdk.Event) string {
	t.Helper()
	var d struct {
		Prompt, Message string
		Error           sdk.TaskError
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		t.Errorf("data of %s: %v", e.Type, err)
	}
	return fmt.Sprintf(" %q", d.Prompt+d.Message+d.Error.Message)
}

// give hands the batch to the worker as a run of its own and answers what it tells; false says that it did not get to tell all in this
// workflow task.
func (p *player) give(b *batch, scheduled, started, previous int64) ([]sdk.Event, bool) {
	p.t.Helper()
	p.runs++
	run := fmt.Sprintf("%s-%d", p.t.Name(), p.runs)
	b.events[0].GetWorkflowExecutionStartedEventAttributes().OriginalExecutionRunId = run
	task := workflowTask(p.t, b.events, 0, int(started), nil)
	for _, m := range b.messages {
		m.SequencingId = &protocolpb.Message_EventId{EventId: scheduled - 1}
	}
	task.Messages, task.PreviousStartedEventId = b.messages, previous
	answer := p.f.give(p.t, p.f.fresh, task)
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.told[run]), !publishesLater(answer)
}
