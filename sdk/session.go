package sdk

import (
	"encoding/json"
	"time"
)

// SessionStatus is where a session stands.
type SessionStatus string

// The session statuses. A closing one takes no task any more and ends the one that runs.
const (
	SessionOpen    SessionStatus = "open"
	SessionClosing SessionStatus = "closing"
	SessionClosed  SessionStatus = "closed"
)

// CloseReason is why a session closed.
type CloseReason string

// The reasons of a close.
const (
	CloseRequested CloseReason = "requested"
	CloseIdle      CloseReason = "idle"
	CloseFailed    CloseReason = "failed"
)

// CostTier chooses the models of a session.
type CostTier string

// The tiers, the dearest last.
const (
	TierFree    CostTier = "free"    // orchestrator and executor ollama
	TierHybrid  CostTier = "hybrid"  // orchestrator ollama, executor claude-sonnet-4
	TierPremium CostTier = "premium" // both claude-sonnet-4
)

// The bounds of sessions. Sizes are characters where that is said.
const (
	MinSessionPrompt  = 3      // characters
	MaxSessionPrompt  = 100000 // characters
	MaxSessionQueue   = 200    // tasks that wait for their turn
	MaxSessionLessons = 50     // lessons that a session keeps, the newest; follow-ups and episode references as many
	MaxSessionsLooked = 10_000 // open sessions that the statistics look at
)

// SessionConfig opens a session. Every zero value means its default.
type SessionConfig struct {
	CostTier          CostTier          `json:"costTier,omitempty" enum:"free,hybrid,premium" doc:"Which models work. Default free."`
	OrchestratorModel string            `json:"orchestratorModel,omitempty" maxLength:"256" doc:"The model of analyze, validate, reflect and skills. Default: the server's override, else the tier's."`
	ExecutorModel     string            `json:"executorModel,omitempty" maxLength:"256" doc:"The model of execute. Default: the server's override, else the tier's."`
	QualityGates      bool              `json:"qualityGates,omitempty" doc:"Ask for quality gates, and carry their verdict in the results."`
	Retry             *Retry            `json:"retry,omitempty" doc:"Of each task and stage. Default: 3 attempts, exponential backoff."`
	Fallback          *bool             `json:"fallback,omitempty" doc:"Whether a task whose stage is used up goes one tier down. Default true."`
	IdleTimeoutMs     int64             `json:"idleTimeoutMs,omitempty" minimum:"1000" maximum:"2592000000" default:"1800000" doc:"After how long without a task the session closes itself."`
	ClientID          string            `json:"clientId,omitempty" doc:"Who the session belongs to: the sessions of a client are listed and closed together."`
	Metadata          map[string]string `json:"metadata,omitempty" doc:"At most 50 pairs: key 64, value 1024 bytes."`
}

// Session is a session as everybody sees it.
type Session struct {
	ID                string            `json:"id"`
	Status            SessionStatus     `json:"status" enum:"open,closing,closed"`
	CostTier          CostTier          `json:"costTier" enum:"free,hybrid,premium"`
	OrchestratorModel string            `json:"orchestratorModel"`
	ExecutorModel     string            `json:"executorModel"`
	QualityGates      bool              `json:"qualityGates"`
	ClientID          string            `json:"clientId,omitempty"`
	Metadata          map[string]string `json:"metadata"`
	CurrentTaskID     string            `json:"currentTaskId,omitempty" doc:"The task that has its turn."`
	QueuedTasks       int               `json:"queuedTasks" doc:"Tasks that wait for their turn."`
	CompletedTasks    int               `json:"completedTasks"`
	FailedTasks       int               `json:"failedTasks" doc:"Tasks that failed or were cancelled."`
	Lessons           []string          `json:"lessons" doc:"What finished tasks have taught, the newest 50."`
	FollowUps         []string          `json:"followUps"`
	EpisodeRefs       []string          `json:"episodeRefs"`
	CreatedAt         time.Time         `json:"createdAt"`
	LastActivityAt    time.Time         `json:"lastActivityAt"`
	ClosedAt          *time.Time        `json:"closedAt,omitempty"`
	CloseReason       CloseReason       `json:"closeReason,omitempty" enum:"requested,idle,failed"`
	Stale             bool              `json:"stale,omitempty" doc:"Part of the answer could not be refreshed in time."`
	Links             Links             `json:"links"`
}

// SessionTaskRequest sends a task to a session. Type and Prompt are required.
type SessionTaskRequest struct {
	Type            TaskType        `json:"type" doc:"analyze, execute, validate, reflect or skills; another type needs a role or one of its own."`
	Prompt          string          `json:"prompt" minLength:"3" maxLength:"100000" doc:"What is to be done, 3 to 100000 characters."`
	Context         *SessionContext `json:"context,omitempty" doc:"What was known before, put after the prompt."`
	Priority        Priority        `json:"priority,omitempty" enum:"low,medium,normal,high,critical,urgent" doc:"Default medium (normal is the same; urgent is critical)."`
	Role            Role            `json:"role,omitempty" doc:"Who does it. Default: the type's own role."`
	MaxPromptTokens int             `json:"maxPromptTokens,omitempty" minimum:"0" doc:"The budget of the whole prompt at 4 characters a token; what is beyond it is cut. Default 0: no budget."`
}

// SessionContext is what a caller knows that the agent should.
type SessionContext struct {
	Episodes   []Episode         `json:"episodes,omitempty" maxItems:"50"`
	Memory     *Memory           `json:"memory,omitempty"`
	SkillHints []SkillHint       `json:"skillHints,omitempty" maxItems:"50"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

// Episode is an earlier piece of work.
type Episode struct {
	ID      string `json:"id"`
	Summary string `json:"summary"`
	Outcome string `json:"outcome"`
}

// Memory is what is kept in mind.
type Memory struct {
	Goal        string   `json:"goal,omitempty"`
	Discoveries []string `json:"discoveries,omitempty" maxItems:"50"`
	WorkingSet  []string `json:"workingSet,omitempty" maxItems:"50"`
}

// SkillHint is a skill that may help, and how often it did.
type SkillHint struct {
	Name        string  `json:"name"`
	SuccessRate float64 `json:"successRate" minimum:"0" maximum:"1"`
}

// SessionFilter chooses sessions; what is left out chooses all.
type SessionFilter struct {
	ClientID string
	Status   SessionStatus
	Limit    int // sessions of one page, 1 to [MaxPage]; 0 is [DefaultPage]
}

// SessionPage is a page of sessions, open ones first, the newest of them first. Items leave out lessons, follow-ups and episode references.
type SessionPage struct {
	Items      []Session `json:"items"`
	NextCursor string    `json:"nextCursor,omitempty"`
}

// SessionStats count the open sessions of a project.
type SessionStats struct {
	TotalSessions    int            `json:"totalSessions"`
	ActiveClients    int            `json:"activeClients"`
	SessionsByClient map[string]int `json:"sessionsByClient"`
	Truncated        bool           `json:"truncated,omitempty" doc:"There are more than 10,000 open sessions, and that many were looked at."`
}

// SessionResult is what a session's task came to.
type SessionResult struct {
	TaskID            string          `json:"taskId"`
	TaskType          TaskType        `json:"taskType"`
	Output            json.RawMessage `json:"output"`
	Duration          time.Duration   `json:"-"`
	Degraded          bool            `json:"degraded"`
	QualityGatePassed *bool           `json:"qualityGatePassed,omitempty"`
	Reflection        *Reflection     `json:"reflection,omitempty"`
	EpisodeRefs       []string        `json:"episodeRefs,omitempty"`
	Model             string          `json:"model,omitempty"`
	Metrics           Metrics         `json:"metrics"`
}

// Reflection is what a task has taught, in the result of a task whose agent says so.
type Reflection struct {
	Lessons   []string `json:"lessons"`
	FollowUps []string `json:"followUps"`
}

// SessionStarted is the data of session.started.
type SessionStarted struct {
	SessionID         string            `json:"sessionId"`
	CostTier          CostTier          `json:"costTier"`
	OrchestratorModel string            `json:"orchestratorModel"`
	ExecutorModel     string            `json:"executorModel"`
	QualityGates      bool              `json:"qualityGates"`
	ClientID          string            `json:"clientId,omitempty"`
	Metadata          map[string]string `json:"metadata,omitempty"`
}

// SessionEnded is the data of session.closed.
type SessionEnded struct {
	SessionID      string      `json:"sessionId"`
	Reason         CloseReason `json:"reason"`
	CompletedTasks int         `json:"completedTasks"`
	FailedTasks    int         `json:"failedTasks"`
}
