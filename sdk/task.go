package sdk

import (
	"encoding/json"
	"time"
)

// TaskRequest is what a caller asks for. Type and Title are required; every other zero value means its default.
// [TaskRequest.Resolve] fills the defaults in, [TaskRequest.Validate] checks the bounds.
type TaskRequest struct {
	Type          TaskType          `json:"type" doc:"What is to be done, as a dotted lower-case name." example:"code.write"`
	Role          Role              `json:"role,omitempty" doc:"Who does it. Default: the type's own role; needed for a type outside the table." example:"coder"`
	Title         string            `json:"title" minLength:"1" maxLength:"200" doc:"One line for people." example:"Implement user authentication"`
	Description   string            `json:"description,omitempty" doc:"The whole of what is wanted, at most 64 KiB."`
	Input         json.RawMessage   `json:"input,omitempty" doc:"Any JSON for the agent, at most 512 KiB."`
	Priority      Priority          `json:"priority,omitempty" enum:"low,medium,normal,high,critical,urgent" doc:"Default medium (normal is the same; urgent is critical)."`
	AgentID       string            `json:"agentId,omitempty" doc:"Address one agent of the role."`
	Capabilities  []string          `json:"capabilities,omitempty" maxItems:"50" doc:"What an agent must be able to do; all are needed. It goes to an agent that registered as addressable and has them."`
	Metadata      map[string]string `json:"metadata,omitempty" doc:"At most 50 pairs: key 64, value 1024 bytes."`
	ParentID      string            `json:"parentId,omitempty" doc:"The running task that this one becomes a child of: it is cancelled when that one ends."`
	Detached      bool              `json:"detached,omitempty" doc:"With parentId: outlive the parent."`
	CorrelationID string            `json:"correlationId,omitempty" maxLength:"256" doc:"The caller's own id, carried through to events."`
	FairnessKey   string            `json:"fairnessKey,omitempty" maxLength:"64" doc:"Tasks of different keys take turns within a priority."`
	Budget        json.RawMessage   `json:"budget,omitempty" doc:"Reserved. This version refuses it."`
	Retry         *Retry            `json:"retry,omitempty"`
	Timeouts      *Timeouts         `json:"timeouts,omitempty"`
	Fallback      []Stage           `json:"fallback,omitempty" maxItems:"5" doc:"Stages tried in order when the one before is used up or nobody took it within queueMs."`
}

// Retry is a stage's retry policy, with the fields and arithmetic of Temporal's: before attempt n+1 it waits
// InitialIntervalMs × BackoffCoefficient^(n-1), at most MaxIntervalMs. Zero values mean the defaults.
type Retry struct {
	MaxAttempts        int     `json:"maxAttempts,omitempty" minimum:"1" maximum:"100" default:"3"`
	InitialIntervalMs  int64   `json:"initialIntervalMs,omitempty" minimum:"100" default:"1000"`
	BackoffCoefficient float64 `json:"backoffCoefficient,omitempty" minimum:"1" maximum:"10" default:"2"`
	MaxIntervalMs      int64   `json:"maxIntervalMs,omitempty" minimum:"100" default:"60000"`
}

// Timeouts bound a task; all are milliseconds from 1 s to 30 days, and zero means the default.
type Timeouts struct {
	QueueMs     int64 `json:"queueMs,omitempty" minimum:"1000" maximum:"2592000000" doc:"How long an attempt may wait for somebody to take it. Default: what is left of totalMs."`
	AttemptMs   int64 `json:"attemptMs,omitempty" minimum:"1000" maximum:"2592000000" default:"3600000" doc:"How long one attempt may run."`
	TotalMs     int64 `json:"totalMs,omitempty" minimum:"1000" maximum:"2592000000" default:"604800000" doc:"From creation, over all stages, waits and inputs."`
	HeartbeatMs int64 `json:"heartbeatMs,omitempty" minimum:"5000" maximum:"2592000000" default:"30000" doc:"How soon a lost worker is noticed."`
	InputMs     int64 `json:"inputMs,omitempty" minimum:"1000" maximum:"2592000000" default:"86400000" doc:"How long a question waits for its answer."`
}

// Stage is one fallback choice. What it leaves out it takes from the task.
type Stage struct {
	Role     Role           `json:"role,omitempty"`
	AgentID  string         `json:"agentId,omitempty"`
	Model    string         `json:"model,omitempty" maxLength:"256"`
	Retry    *Retry         `json:"retry,omitempty"`
	Timeouts *StageTimeouts `json:"timeouts,omitempty"`
}

// StageTimeouts are the timeouts a stage may set for itself.
type StageTimeouts struct {
	QueueMs     int64 `json:"queueMs,omitempty" minimum:"1000" maximum:"2592000000"`
	AttemptMs   int64 `json:"attemptMs,omitempty" minimum:"1000" maximum:"2592000000"`
	HeartbeatMs int64 `json:"heartbeatMs,omitempty" minimum:"5000" maximum:"2592000000"`
}

// Task is one delegated piece of work as everybody sees it. It does not change any more once its status is terminal.
type Task struct {
	ID              string            `json:"id"`
	Type            TaskType          `json:"type"`
	Role            Role              `json:"role"`
	Title           string            `json:"title"`
	Description     string            `json:"description,omitempty"`
	Input           json.RawMessage   `json:"input,omitempty"`
	Priority        Priority          `json:"priority"`
	Status          Status            `json:"status"`
	Stage           int               `json:"stage" doc:"0 is the first choice, n the n-th entry of fallback."`
	Attempt         int               `json:"attempt" doc:"Counts the attempts of the stage; 0 before the first is asked for."`
	MaxAttempts     int               `json:"maxAttempts" doc:"The highest number attempt can reach in this stage: retry.maxAttempts, and one more for each attempt that used none up."`
	AgentID         string            `json:"agentId,omitempty" doc:"Who has the current attempt, or had the last."`
	Progress        *Progress         `json:"progress,omitempty"`
	Result          *Result           `json:"result,omitempty"`
	Degraded        bool              `json:"degraded" doc:"A stage other than the first answered."`
	Attempts        []Attempt         `json:"attempts"`
	InputRequest    *InputRequest     `json:"inputRequest,omitempty"`
	Answers         []Answer          `json:"answers"`
	WaitingFor      *WaitingFor       `json:"waitingFor,omitempty"`
	CancelConfirmed *bool             `json:"cancelConfirmed,omitempty" doc:"On a cancelled task: whether the agent was seen to have stopped."`
	Capabilities    []string          `json:"capabilities"`
	Retry           Retry             `json:"retry"`
	Timeouts        Timeouts          `json:"timeouts"`
	Fallback        []Stage           `json:"fallback"`
	FairnessKey     string            `json:"fairnessKey,omitempty"`
	ParentID        string            `json:"parentId,omitempty"`
	RootID          string            `json:"rootId,omitempty" doc:"The topmost of its parents, itself where it has none."`
	SessionID       string            `json:"sessionId,omitempty"`
	PlanID          string            `json:"planId,omitempty"`
	RetryOf         string            `json:"retryOf,omitempty"`
	CorrelationID   string            `json:"correlationId,omitempty"`
	Metadata        map[string]string `json:"metadata"`
	CreatedAt       time.Time         `json:"createdAt"`
	StartedAt       *time.Time        `json:"startedAt,omitempty" doc:"When the first attempt's handler began."`
	CompletedAt     *time.Time        `json:"completedAt,omitempty"`
	Stale           bool              `json:"stale,omitempty" doc:"Part of the answer could not be refreshed in time."`
	Links           Links             `json:"links"`
}

// Attempt is one entry of the chain: who tried, and how it ended. EndedAt is nil while it runs.
type Attempt struct {
	Stage     int        `json:"stage"`
	Attempt   int        `json:"attempt"`
	Role      Role       `json:"role"`
	AgentID   string     `json:"agentId,omitempty"`
	Model     string     `json:"model,omitempty"`
	StartedAt time.Time  `json:"startedAt" doc:"When an agent took it; for one that nobody took, when it was asked for."`
	EndedAt   *time.Time `json:"endedAt,omitempty"`
	Outcome   Outcome    `json:"outcome,omitempty"`
	Error     *TaskError `json:"error,omitempty"`
}

// Progress is what an agent says of its work while it runs.
type Progress struct {
	Percentage float64   `json:"percentage" minimum:"0" maximum:"100" doc:"As the agent reported it."`
	Phase      string    `json:"phase,omitempty" maxLength:"128"`
	Message    string    `json:"message,omitempty" maxLength:"1024"`
	Delta      string    `json:"delta,omitempty" maxLength:"4096" doc:"The newest piece of output."`
	Category   string    `json:"category,omitempty" maxLength:"128"`
	Tool       string    `json:"tool,omitempty" maxLength:"128"`
	At         time.Time `json:"at"`
	Stage      int       `json:"stage"`
	Attempt    int       `json:"attempt"`
	Overall    float64   `json:"overall" doc:"The highest percentage of any attempt so far: it never goes back."`
}

// Result is how a task ended. Status is the task's.
type Result struct {
	Status            Status          `json:"status"`
	Output            json.RawMessage `json:"output,omitempty" doc:"Any JSON, at most 1 MiB."`
	Error             *TaskError      `json:"error,omitempty"`
	Degraded          bool            `json:"degraded"`
	Metrics           Metrics         `json:"metrics"`
	Model             string          `json:"model,omitempty"`
	QualityGatePassed *bool           `json:"qualityGatePassed,omitempty"`
	QualityGate       json.RawMessage `json:"qualityGate,omitempty"`
	Reflection        json.RawMessage `json:"reflection,omitempty"`
	EpisodeRefs       []string        `json:"episodeRefs,omitempty"`
}

// Metrics say what a task cost. Tokens and cost are those of all its attempts, also of the ones that failed; the duration is that of
// the attempt that completed it, else from the first attempt's start to the end. DurationMs is set by rolecall when the agent leaves
// it zero.
type Metrics struct {
	DurationMs   int64    `json:"durationMs"`
	TokensUsed   *int64   `json:"tokensUsed,omitempty"`
	InputTokens  *int64   `json:"inputTokens,omitempty"`
	OutputTokens *int64   `json:"outputTokens,omitempty"`
	CostUSD      *float64 `json:"costUsd,omitempty"`
}

// TaskError is why an attempt or a task failed. Code is one of the task codes of errors.go or an agent's own.
type TaskError struct {
	Code    Code            `json:"code"`
	Message string          `json:"message"`
	Details json.RawMessage `json:"details,omitempty"`
}

// InputRequest is a question an agent asked. The task waits for its answer and holds no agent meanwhile.
type InputRequest struct {
	ID        string          `json:"id"`
	Prompt    string          `json:"prompt"`
	Schema    json.RawMessage `json:"schema,omitempty" doc:"A JSON Schema (draft 2020-12) that the answer must meet."`
	AskedAt   time.Time       `json:"askedAt"`
	ExpiresAt time.Time       `json:"expiresAt"`
}

// Answer is an answered question.
type Answer struct {
	RequestID string          `json:"requestId"`
	Prompt    string          `json:"prompt"`
	Answer    json.RawMessage `json:"answer"`
	At        *time.Time      `json:"at,omitempty"`
}

// WaitingFor says in words why a task does not run.
type WaitingFor struct {
	Reason        string     `json:"reason"`
	Since         time.Time  `json:"since"`
	NextAttemptAt *time.Time `json:"nextAttemptAt,omitempty"`
	AgentID       string     `json:"agentId,omitempty" doc:"The agent that an attempt is addressed to, while nobody has taken it."`
	Detail        string     `json:"detail,omitempty"`
}

// Links lead onwards from a task. Events is its stream, empty from a server that has none; UI opens its run in the Temporal UI and
// is empty where none is configured.
type Links struct {
	Self   string `json:"self"`
	Events string `json:"events,omitempty"`
	UI     string `json:"ui,omitempty"`
}
