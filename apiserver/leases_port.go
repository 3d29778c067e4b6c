package apiserver

import (
	"context"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// Leases is what the server needs of an engine to let agents work over HTTP. Every error is an [sdk.Error].
type Leases interface {
	// ClaimTask waits for a task that the agent may have. It is nil when none came in time, and when ctx has ended.
	ClaimTask(ctx context.Context, in activities.Claim) (*activities.Claimed, error)
	// ReturnAttempt gives an attempt back of which its agent can not be told.
	ReturnAttempt(h activities.Hold)
	// ReportAttempt takes an agent's word, which keeps the attempt its own; lease_lost says that it is not.
	ReportAttempt(ctx context.Context, h activities.Hold, w activities.Word) (sdk.LeaseStatus, error)
	// EndAttempt ends an attempt. The same ending again is no error; anything else on an attempt that has ended is lease_lost.
	EndAttempt(ctx context.Context, h activities.Hold, end activities.Ending) error
}
