package apiserver

import (
	"context"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// Sessions is what the server needs of the engine about sessions. Every error is an [sdk.Error]; the message of one with code internal goes
// to the log only. Projects and ids are well-formed when they get there, and requests are valid.
type Sessions interface {
	// OpenSession opens a session, with the rules of [Tasks.CreateTask] for the digest.
	OpenSession(ctx context.Context, in workflows.SessionInput, digest string) (session sdk.Session, replayed bool, err error)
	// GetSession answers a session as it stands.
	GetSession(ctx context.Context, project, id string) (sdk.Session, error)
	// GlanceAtSession answers of a session at least its status, when it was opened and when it has closed, as cheaply as it can.
	GlanceAtSession(ctx context.Context, project, id string) (sdk.Session, error)
	// ListSessions answers a page of the project's sessions; a cursor that came from another filter is invalid_input.
	ListSessions(ctx context.Context, project string, filter sdk.SessionFilter, cursor string) (sdk.SessionPage, error)
	// SessionStats counts the project's open sessions.
	SessionStats(ctx context.Context, project string) (sdk.SessionStats, error)
	// SendTask gives a session a task, which is done after those that were sent before. in.TaskID is derived from the session and the
	// idempotency key, or new. The same again is answered as replayed, and idempotency_mismatch when the digest is another; conflict when the
	// session has closed, or is about to.
	SendTask(ctx context.Context, project, session string, in workflows.SendTaskInput) (task sdk.Task, replayed bool, err error)
	// CloseSession closes a session and ends its running task; one that has closed is answered as it is.
	CloseSession(ctx context.Context, project, id string) (sdk.Session, error)
	// CloseClientSessions closes every open session of a client and answers how many there were.
	CloseClientSessions(ctx context.Context, project, client string) (closed int, err error)
}
