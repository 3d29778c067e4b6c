package sdk_test

import (
	"encoding/json"

	"github.com/rolecall-dev/rolecall/sdk"
)

func wholeEvent() sdk.Event {
	return sdk.Event{
		SpecVersion: "1.0", ID: "task.1", Source: "urn:rolecall:task:1", Type: sdk.EventTaskProgress, Subject: "task/1", Time: noon(0), DataContentType: "application/json",
		Organization: "acme", Project: "shop", Agent: "bob", Task: "1", Session: "s", Plan: "p", CorrelationID: "c", CausationID: "e", OriginSource: "urn:other",
		Dropped: sdk.CodePayloadTooLarge, Seq: 3, Data: json.RawMessage(`{"a":1}`), Sequence: sdk.FormatSequence(42),
	}
}

// eventCallTypes are what the calls about events carry, whole and bare.
func eventCallTypes() map[string]any {
	group := sdk.ErrorGroup{
		Fingerprint: "f1", Code: "agent_failed", Role: "coder", Message: "no ink", Count: 3, FirstAt: noon(1), LastAt: noon(2), ExampleTask: "t1",
	}
	subscription := sdk.Subscription{
		Name: "reviews", Types: sdk.EventPatterns{"code.*"}, From: "beginning", MaxDeliveries: 10, AckWaitMs: 30_000, CreatedAt: noon(1), Pending: 7, Unacked: 2,
	}
	delivery := sdk.Delivery{Event: wholeEvent(), Ack: "sealed", Deliveries: 2}
	dead := sdk.DeadEvent{Event: wholeEvent(), Deliveries: 10, At: noon(9)}
	settled := sdk.Settled{Ack: "sealed", Stale: true, Error: &sdk.Fault{Path: "$.acks[0]", Message: "can not be read"}}
	published := sdk.Published{ID: "i1", Sequence: sdk.FormatSequence(42), Duplicate: true}
	return map[string]any{
		"event":         wholeEvent(),
		"event_request": sdk.EventRequest{Type: "code.deployed", Data: json.RawMessage(`{"a":1}`), Subject: "service/x", ID: "i1", CorrelationID: "c"},
		"published":     published, "published_list": sdk.PublishedList{Items: []sdk.Published{published}},
		"event_page":  sdk.EventPage{Items: []sdk.Event{wholeEvent()}, NextCursor: sdk.FormatSequence(42)},
		"error_group": group, "error_groups": sdk.ErrorGroups{Items: []sdk.ErrorGroup{group}, Truncated: true},
		"subscription": subscription, "subscription_list": sdk.SubscriptionList{Items: []sdk.Subscription{subscription}},
		"subscription_request": sdk.SubscriptionRequest{Types: sdk.EventPatterns{"code.*", "a"}, From: "now", MaxDeliveries: 5, AckWaitMs: 1000},
		"pull_request":         sdk.PullRequest{Max: 10, WaitMs: 30_000},
		"delivery":             delivery, "delivery_list": sdk.DeliveryList{Items: []sdk.Delivery{delivery}},
		"ack_request": sdk.AckRequest{Acks: []string{"sealed"}, DelayMs: 1000},
		"settled":     settled, "settled_list": sdk.SettledList{Items: []sdk.Settled{settled}},
		"dead_event": dead, "dead_event_page": sdk.DeadEventPage{Items: []sdk.DeadEvent{dead}, NextCursor: "c"},
		"task_output": sdk.TaskOutput{Stage: 1, Attempt: 2, Frames: []sdk.OutputFrame{{Text: "a"}, {Tool: "go test"}, {Delta: "b"}}},

		"bare_event_request": sdk.EventRequest{Type: "a"}, "bare_published": sdk.Published{},
		"bare_settled": sdk.Settled{Ack: "sealed"}, "bare_task_output": sdk.TaskOutput{Attempt: 1, Frames: []sdk.OutputFrame{{Delta: "b"}}},
	}
}

// eventDataTypes are the data of rolecall's own events.
func eventDataTypes() map[string]any {
	r := wholeRequest()
	links := &sdk.EventLinks{Task: "/v1/tasks/t1"}
	return map[string]any{
		"event_task_created": sdk.TaskCreated{
			TaskID: "t1", Type: r.Type, Role: r.Role, Title: r.Title, Description: r.Description, Input: r.Input, InputOmitted: true, Priority: r.Priority,
			AgentID: "coder-1", MaxAttempts: 3, Stages: 2, RetryOf: "t0", ParentID: "t9", RootID: "t8", CorrelationID: "c", Metadata: r.Metadata, Prompt: "Add validation", Links: links,
		},
		"event_task_delegated": sdk.TaskDelegated{
			TaskID: "t1", ChildID: "t2", RootID: "t0", Depth: 2, Type: r.Type, Role: r.Role, Title: r.Title, AgentID: "coder-1", Detached: true, Stage: 1, Attempt: 2,
		},
		"event_task_assigned": sdk.TaskAssigned{TaskID: "t1", Role: "coder", AgentID: "coder-1", Model: "small", Stage: 1, Attempt: 2},
		"event_task_started":  sdk.TaskStarted{TaskID: "t1", AgentID: "coder-1", StartedAt: noon(1)},
		"event_task_progress": sdk.TaskProgressed{TaskID: "t1", Progress: wholeProgress()},
		"event_task_input_required": sdk.TaskInputRequired{
			TaskID: "t1", RequestID: "q1", Prompt: "Which?", Schema: json.RawMessage(`{"type":"string"}`), Stage: 1, Attempt: 2, ExpiresAt: noon(9),
		},
		"event_task_retrying": sdk.TaskRetrying{
			TaskID: "t1", Role: "coder", AgentID: "coder-1", Stage: 1, Attempt: 1, MaxAttempts: 3, Outcome: "failed", DelayMs: 1000, DurationMs: 9500,
			ErrorCount: 1, Error: new(wholeTaskError()), Fingerprint: "f1",
		},
		"event_task_fallback": sdk.TaskFellBack{
			TaskID: "t1", FromStage: 1, FromRole: "coder", ToStage: 2, ToRole: "debugger", ToModel: "big", Outcome: "not_taken",
			DurationMs: 9500, ErrorCount: 3, Error: new(wholeTaskError()), Fingerprint: "f1",
		},
		"event_task_ended": sdk.TaskEnded{
			TaskID: "t1", Type: r.Type, Role: "coder", Status: "cancelled", AgentID: "coder-1", Model: "small", Stage: 1, Attempt: 2, Attempts: 3, DurationMs: 9500, ErrorCount: 2, Degraded: true,
			Output: json.RawMessage(`{"a":1}`), OutputOmitted: true, Error: new(wholeTaskError()), Fingerprint: "f1", CancelConfirmed: new(true), Metrics: wholeResult().Metrics, Links: links,
		},
		"event_code_done": sdk.CodeDone{TaskID: "t1", Output: json.RawMessage(`{"a":1}`), OutputOmitted: true, Links: links},

		"bare_event_task_created": sdk.TaskCreated{}, "bare_event_task_ended": sdk.TaskEnded{}, "bare_event_code_done": sdk.CodeDone{},
	}
}
