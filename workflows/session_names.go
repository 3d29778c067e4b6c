package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// The id of a session's task is that of the session, taskMark, and taskSum letters.
const (
	taskMark = "-t-"
	taskSum  = 16
)

// MaxSessionID is how long the id of a session may be, so that its tasks have ids.
const MaxSessionID = 128 - len(taskMark) - taskSum

// SessionTaskID is the id of a task that a session is sent. The same seed, such as an idempotency key, makes the same id.
func SessionTaskID(session, seed string) string {
	sum := sha256.Sum256([]byte(session + "\x00" + seed))
	return session + taskMark + hex.EncodeToString(sum[:])[:taskSum]
}

// ParseSessionTaskID is the session in an id of [SessionTaskID]; ok is false for the id of something else.
func ParseSessionTaskID(id string) (session string, ok bool) {
	n := len(id) - len(taskMark) - taskSum
	if n <= 0 || id[n:n+len(taskMark)] != taskMark || strings.Trim(id[n+len(taskMark):], "0123456789abcdef") != "" {
		return "", false
	}
	return id[:n], validSessionID(id[:n])
}

func validSessionID(id string) bool { return len(id) <= MaxSessionID && sdk.ValidID(id) }

// SessionEventsWorkflowID is the id of the run that publishes a session's last events where its own run could not. The story of a session
// is that of no task, so it is no id of [ParseEventsWorkflowID].
func SessionEventsWorkflowID(project, id string) string {
	return sessionEventsPrefix + project + ":" + id
}

const sessionEventsPrefix = "session-events:"

// ParseSessionEventsWorkflowID is the inverse of [SessionEventsWorkflowID]; ok is false for the id of something else.
func ParseSessionEventsWorkflowID(workflowID string) (project, id string, ok bool) {
	rest, found := strings.CutPrefix(workflowID, sessionEventsPrefix)
	if !found {
		return "", "", false
	}
	return ParseSessionWorkflowID(sessionPrefix + rest)
}
