package sdk

import (
	"encoding/json"
	"time"
)

// EventRequest is an event as a caller publishes it. Type is required. Source, organization, project, agent, sequence and seq are the
// server's to set.
type EventRequest struct {
	Type          EventType       `json:"type" doc:"A dotted lower-case name. task.*, session.*, plan.* and agent.* are the server's own."`
	Data          json.RawMessage `json:"data,omitempty" doc:"Any JSON, at most 256 KiB."`
	Subject       string          `json:"subject,omitempty" doc:"What it is about, at most 256 bytes."`
	ID            string          `json:"id,omitempty" doc:"The same id of the same source within ROLECALL_EVENT_DEDUP_WINDOW is one event. Default: a new one."`
	CorrelationID string          `json:"correlationId,omitempty" maxLength:"256"`
}

// Published says where an event that was published stands.
type Published struct {
	ID        string `json:"id"`
	Sequence  string `json:"sequence" doc:"Its position in the project's log, zero-padded to 20 digits."`
	Duplicate bool   `json:"duplicate,omitempty" doc:"It was there before: the same source and id."`
}

// PublishedList is the answer to a publication, in the order of the events.
type PublishedList struct {
	Items []Published `json:"items"`
}

// EventPage is a part of a project's log, oldest first.
type EventPage struct {
	Items      []Event `json:"items"`
	NextCursor string  `json:"nextCursor,omitempty" doc:"The sequence to read on after; empty at the end. A page can be short, even empty, where the filter leaves much out."`
}

// ErrorGroup is failures of one fingerprint.
type ErrorGroup struct {
	Fingerprint string    `json:"fingerprint"`
	Code        Code      `json:"code"`
	Role        Role      `json:"role"`
	Message     string    `json:"message" doc:"Of the newest."`
	Count       int       `json:"count"`
	FirstAt     time.Time `json:"firstAt"`
	LastAt      time.Time `json:"lastAt"`
	ExampleTask string    `json:"exampleTask" doc:"The id of the newest one's task."`
}

// ErrorGroups are a project's failures, the most frequent first.
type ErrorGroups struct {
	Items     []ErrorGroup `json:"items"`
	Truncated bool         `json:"truncated,omitempty" doc:"There were too many events to look at all; the oldest are left out."`
}

// Subscription is a place in a project's log that is kept for its receivers, who share the work.
type Subscription struct {
	Name          string        `json:"name"`
	Types         EventPatterns `json:"types" doc:"None is every type."`
	From          string        `json:"from" doc:"now, beginning or a sequence: where it began."`
	MaxDeliveries int           `json:"maxDeliveries" doc:"An event that was given out so often without an acknowledgement is dead."`
	AckWaitMs     int64         `json:"ackWaitMs" doc:"After which an event goes to another receiver."`
	CreatedAt     time.Time     `json:"createdAt"`
	Pending       int64         `json:"pending" doc:"Events not yet given out; with patterns of more than one family it counts some that will be left out."`
	Unacked       int           `json:"unacked" doc:"Events that are out."`
}

// SubscriptionRequest makes or changes a subscription. Zero values mean the defaults.
type SubscriptionRequest struct {
	Types         EventPatterns `json:"types,omitempty" maxItems:"20" doc:"Types, or patterns such as code.*. Default: every type."`
	From          string        `json:"from,omitempty" doc:"now, beginning or a sequence. Default now. It can not be changed."`
	MaxDeliveries int           `json:"maxDeliveries,omitempty" minimum:"1" maximum:"1000" default:"10"`
	AckWaitMs     int64         `json:"ackWaitMs,omitempty" minimum:"1000" maximum:"43200000" default:"30000"`
}

// SubscriptionList is a project's subscriptions by name.
type SubscriptionList struct {
	Items []Subscription `json:"items"`
}

// PullRequest asks for events of a subscription.
type PullRequest struct {
	Max    int   `json:"max,omitempty" minimum:"1" maximum:"100" default:"1"`
	WaitMs int64 `json:"waitMs,omitempty" minimum:"0" maximum:"60000" doc:"How long to wait for the first. Default 0."`
}

// Delivery is an event that was given to one receiver of a subscription.
type Delivery struct {
	Event      Event  `json:"event"`
	Ack        string `json:"ack" doc:"What to acknowledge it with; opaque, any server takes it."`
	Deliveries int    `json:"deliveries" doc:"How often it was given out, this time included."`
}

// DeliveryList is the answer to a pull; it is empty when nothing came in time.
type DeliveryList struct {
	Items []Delivery `json:"items"`
}

// AckRequest settles deliveries. DelayMs is for a nack: after which the events are given out again.
type AckRequest struct {
	Acks    []string `json:"acks" minItems:"1" maxItems:"100"`
	DelayMs int64    `json:"delayMs,omitempty" minimum:"0" maximum:"43200000"`
}

// Settled says what became of one ack.
type Settled struct {
	Ack   string `json:"ack" doc:"After an extension, the one to go on with."`
	Stale bool   `json:"stale,omitempty" doc:"It came too late: the event may be another receiver's."`
	Error *Fault `json:"error,omitempty" doc:"Why it could not be taken; it may be sent again."`
}

// SettledList answers an acknowledgement, in the order of its acks.
type SettledList struct {
	Items []Settled `json:"items"`
}

// DeadEvent is an event that was given out as often as its subscription allows and never acknowledged.
type DeadEvent struct {
	Event      Event     `json:"event"`
	Deliveries int       `json:"deliveries"`
	At         time.Time `json:"at" doc:"When it was given up."`
}

// DeadEventPage is the dead events of a subscription, oldest first.
type DeadEventPage struct {
	Items      []DeadEvent `json:"items"`
	NextCursor string      `json:"nextCursor,omitempty"`
}

// The bounds of live output.
const (
	MaxOutputCall   = 16 << 10 // bytes of one call
	MaxOutputFrames = 100      // of one call
)

// OutputFrame is a piece of an agent's live output: one of Text, Tool and Delta.
type OutputFrame struct {
	Text  string `json:"text,omitempty" doc:"A whole piece of text."`
	Tool  string `json:"tool,omitempty" doc:"A tool that the agent calls, in one line."`
	Delta string `json:"delta,omitempty" doc:"What is to be added to the text before it."`
}

// TaskOutput is live output of an attempt, as its worker sends it and as followers get it.
type TaskOutput struct {
	Stage   int           `json:"stage,omitempty"`
	Attempt int           `json:"attempt"`
	Frames  []OutputFrame `json:"frames"`
}
