package activities

import (
	"encoding/json"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Claim is an agent's wish for a task of a role, apart from a worker.
type Claim struct {
	Project string
	Role    sdk.Role
	AgentID string
	// Addressed also takes what asks for this very agent.
	Addressed bool
	Wait      time.Duration
}

// Hold is all there is to know of an agent's hold on an attempt: the agent carries it, and nobody keeps it. It grows only by fields that
// may be left out.
type Hold struct {
	Project     string    `json:"p"`
	AgentID     string    `json:"a"`
	TaskID      string    `json:"t"`
	RunID       string    `json:"r"`
	Stage       int       `json:"g,omitempty"`
	Attempt     int       `json:"n"`
	Token       []byte    `json:"k"` // of the engine
	StartedAt   time.Time `json:"s"` // when the agent got it
	TaskBegan   time.Time `json:"b"` // when the task's first attempt began
	HeartbeatMs int64     `json:"h"`
	Role        sdk.Role  `json:"o,omitempty"` // in whose name it was claimed
}

// Claimed is an attempt that an agent got.
type Claimed struct {
	Hold       Hold
	Assignment sdk.Assignment
	ExpiresAt  time.Time
}

// Word is what an agent says of an attempt while it has it. All of it may be left out.
type Word struct {
	Progress *sdk.Progress
	// Without says that Progress has no percentage: that of the one before stays.
	Without bool
	Resume  json.RawMessage
	Spent   *sdk.Metrics
}

// Ending is how an agent ends an attempt: by one of Result, Failure and Question.
type Ending struct {
	Result   *sdk.Result
	Failure  *sdk.AgentError
	Question *sdk.InputRequired
	Word     Word
	// Digest tells this ending from another one of the same attempt.
	Digest string
}
