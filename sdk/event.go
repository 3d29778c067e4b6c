package sdk

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// EventType says what happened, as a dotted lower-case name. The set is open.
type EventType string

// The built-in event types. Those of agents, tasks, sessions and plans are written by rolecall alone.
const (
	EventAgentRegistered    EventType = "agent.registered"
	EventAgentStatusChanged EventType = "agent.status_changed"
	EventAgentHeartbeat     EventType = "agent.heartbeat" // reaches followers and is not kept

	EventTaskCreated       EventType = "task.created"
	EventTaskAssigned      EventType = "task.assigned"
	EventTaskStarted       EventType = "task.started"
	EventTaskProgress      EventType = "task.progress"
	EventTaskInputRequired EventType = "task.input_required"
	EventTaskRetrying      EventType = "task.retrying"
	EventTaskFallback      EventType = "task.fallback"
	EventTaskCompleted     EventType = "task.completed"
	EventTaskFailed        EventType = "task.failed"
	EventTaskCancelled     EventType = "task.cancelled"

	EventAIMessage    EventType = "ai.message"
	EventAIRequest    EventType = "ai.request"
	EventAIResponse   EventType = "ai.response"
	EventAIDelegation EventType = "ai.delegation"

	EventCodeGenerated EventType = "code.generated"
	EventCodeReviewed  EventType = "code.reviewed"
	EventCodeTested    EventType = "code.tested"
	EventCodeDeployed  EventType = "code.deployed"

	EventSessionStarted EventType = "session.started"
	EventSessionClosed  EventType = "session.closed"

	EventPlanCreated   EventType = "plan.created"
	EventPlanStarted   EventType = "plan.started"
	EventPlanStep      EventType = "plan.step"
	EventPlanCompleted EventType = "plan.completed"
	EventPlanFailed    EventType = "plan.failed"
	EventPlanCancelled EventType = "plan.cancelled"
)

// The bounds of events. Sizes are bytes.
const (
	MaxEventData     = 256 << 10
	MaxEventSubject  = 256
	MaxEventID       = 256
	MaxEventBatch    = 1000 // events in one request
	MaxEventPatterns = 20   // type patterns in one filter
)

// EventSpecVersion is the version of the CloudEvents specification that events follow.
const EventSpecVersion = "1.0"

// Event is a CloudEvent 1.0 as the project's log keeps it.
type Event struct {
	SpecVersion     string          `json:"specversion" doc:"1.0: the version of CloudEvents."`
	ID              string          `json:"id" doc:"Unique with source."`
	Source          string          `json:"source" doc:"Who wrote it: a workflow of rolecall, or the API key that published it."`
	Type            EventType       `json:"type"`
	Subject         string          `json:"subject,omitempty" doc:"What it is about, such as task/<id>."`
	Time            time.Time       `json:"time" doc:"When it happened."`
	DataContentType string          `json:"datacontenttype,omitempty"`
	Organization    string          `json:"organization,omitempty"`
	Project         string          `json:"project,omitempty"`
	Agent           string          `json:"agent,omitempty"`
	Task            string          `json:"task,omitempty"`
	Session         string          `json:"session,omitempty"`
	Plan            string          `json:"plan,omitempty"`
	CorrelationID   string          `json:"correlationid,omitempty"`
	CausationID     string          `json:"causationid,omitempty" doc:"The id of the event that led to this one."`
	OriginSource    string          `json:"originsource,omitempty" doc:"The source that a published CloudEvent came with."`
	Dropped         Code            `json:"dropped,omitempty" doc:"Why the log took the event without its data."`
	Seq             int             `json:"seq,omitempty" doc:"1, 2, 3 … within the task, session or plan whose workflow wrote it, or the agent that it is about, without gaps."`
	Data            json.RawMessage `json:"data,omitempty"`
	Sequence        string          `json:"sequence,omitempty" doc:"Its position in the project's log: decimal, zero-padded to 20 digits."`
}

// Valid reports whether t can name an event type.
func (t EventType) Valid() bool { return len(t) <= MaxType && typePattern.MatchString(string(t)) }

// Reserved reports whether no caller can publish events of this type: those that rolecall alone writes, and [EventType.NamesFrame].
func (t EventType) Reserved() bool {
	family, _, dotted := strings.Cut(string(t), ".")
	switch family {
	case "task", "session", "plan", "agent":
		return dotted
	default:
		return t.NamesFrame()
	}
}

// NamesFrame reports whether t is the name that a stream of server-sent events has for something else: output, resume and gone are
// rolecall's, open, message and error those of a browser's EventSource.
func (t EventType) NamesFrame() bool {
	switch t {
	case "output", "resume", "gone", "open", "message", "error":
		return true
	default:
		return false
	}
}

// FormatSequence writes a position as events carry it: zero-padded to 20 digits, so that positions sort as text.
func FormatSequence(n uint64) string {
	const zeros = "00000000000000000000"
	digits := strconv.FormatUint(n, 10)
	return zeros[len(digits):] + digits
}

// ParseSequence reads a position, with or without the zeros.
func ParseSequence(s string) (uint64, error) {
	if s == "" || len(s) > 20 || strings.Trim(s, "0123456789") != "" {
		return 0, Errorf(CodeInvalidInput, "a sequence is a whole number of at most 20 digits")
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, Errorf(CodeInvalidInput, "a sequence is a whole number below 2^64")
	}
	return n, nil
}
