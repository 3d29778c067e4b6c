package sdk

import "regexp"

// The bounds of a request. Sizes are bytes unless they say characters.
const (
	MaxTitle         = 200 // characters
	MaxDescription   = 64 << 10
	MaxInput         = 512 << 10
	MaxMetadata      = 50
	MaxMetadataKey   = 64
	MaxMetadataValue = 1 << 10
	MaxCapabilities  = 50
	MaxCapability    = 64
	MaxFallback      = 5
	MaxMaxAttempts   = 100
	MinIntervalMs    = 100
	MinCoefficient   = 1
	MaxCoefficient   = 10
	MinTimeoutMs     = 1000
	MaxTimeoutMs     = 30 * 24 * 3600 * 1000
	MinHeartbeatMs   = 5000
	MaxFairnessKey   = 64
	MaxCorrelationID = 256
	MaxModel         = 256
	MaxType          = 128
	MaxReason        = 1 << 10
	MaxPrompt        = 4 << 10
	MaxSchema        = 32 << 10
	MaxAnswer        = 16 << 10
	MaxAnswers       = 20
	MaxResume        = 256 << 10
	MaxOutput        = 1 << 20
	MaxReflection    = 64 << 10 // also of a quality gate
	MaxErrorMessage  = 4 << 10
	MaxErrorDetails  = 16 << 10
	MaxPhase         = 128
	MaxMessage       = 1 << 10
	MaxDelta         = 4 << 10
	MaxJSONDepth     = 64
	MaxBody          = 1 << 20
	MaxWaitMs        = 60_000
	MaxDepth         = 5   // parents above a task
	MaxDescendants   = 200 // tasks below one root
)

// The shapes of names. An id is refused before it reaches an engine.
var (
	rolePattern    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	typePattern    = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)
	projectPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	idPattern      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$`)
	codePattern    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
)

// ValidProject reports whether s can name a project or an organization.
func ValidProject(s string) bool { return projectPattern.MatchString(s) }

// ValidID reports whether s can be the id of a task, agent, session, plan or client.
func ValidID(s string) bool { return idPattern.MatchString(s) }

// Valid reports whether r can name a role.
func (r Role) Valid() bool { return rolePattern.MatchString(string(r)) }

// Valid reports whether t can name a task type.
func (t TaskType) Valid() bool { return len(t) <= MaxType && typePattern.MatchString(string(t)) }

// Valid reports whether c is a well-formed code.
func (c Code) Valid() bool { return codePattern.MatchString(string(c)) }
