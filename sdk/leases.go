package sdk

import (
	"context"
	"net/http"
	"time"
)

// Claim waits for a task of a role, at most as long as the request says. It answers nil when none came. It is sent once: a task whose answer
// is lost on the way goes back to its queue when the lease lapses. The key needs the scope work.
func (c *Client) Claim(ctx context.Context, role Role, request ClaimRequest) (*Lease, error) {
	if !role.Valid() {
		return nil, Errorf(CodeInvalidInput, "role %q: must start with a lower-case letter and hold at most 63 of a-z, 0-9 and -", role)
	}
	if request.AgentID == "" {
		request.AgentID = c.cfg.AgentID
	}
	lease := &Lease{}
	err := c.do(ctx, call{
		method: http.MethodPost, url: c.address(nil, "v1", "roles", string(role), "claim"), body: request,
		wait: time.Duration(request.WaitMs)*time.Millisecond + claimSlack,
	}, lease)
	if err != nil || lease.Token == "" {
		return nil, err
	}
	return lease, nil
}

// claimSlack is by how much a claim may outlast its wait.
const claimSlack = 5 * time.Second

// ReportLease says how an attempt gets on, and keeps it: the lease lasts for its HeartbeatMs from then on. lease_lost says that the agent
// has to stop.
func (c *Client) ReportLease(ctx context.Context, lease string, p LeaseProgress) (LeaseStatus, error) {
	var status LeaseStatus
	err := c.do(ctx, c.leaseCall(lease, "progress", p), &status)
	return status, err
}

// reportOnce is ReportLease for a worker, which reports again anyway.
func (c *Client) reportOnce(ctx context.Context, lease string, p LeaseProgress) (LeaseStatus, error) {
	var status LeaseStatus
	once := c.leaseCall(lease, "progress", p)
	once.repeatable = false
	err := c.do(ctx, once, &status)
	return status, err
}

// CompleteLease completes an attempt. Doing so twice with the same result is no error; lease_lost says that the result is not wanted.
func (c *Client) CompleteLease(ctx context.Context, lease string, r LeaseResult) error {
	return c.do(ctx, c.leaseCall(lease, "complete", r), nil)
}

// FailLease fails an attempt, or gives it back with the code interrupted. Twice is as with [Client.CompleteLease].
func (c *Client) FailLease(ctx context.Context, lease string, f LeaseFailure) error {
	return c.do(ctx, c.leaseCall(lease, "fail", f), nil)
}

// AskLease ends an attempt with a question. Twice is as with [Client.CompleteLease].
func (c *Client) AskLease(ctx context.Context, lease string, q LeaseQuestion) error {
	return c.do(ctx, c.leaseCall(lease, "input-required", q), nil)
}

// leaseCall is a call about a lease. Each is the same when it is sent twice.
func (c *Client) leaseCall(lease, what string, body any) call {
	return call{method: http.MethodPost, url: c.address(nil, "v1", "leases", lease, what), body: body, repeatable: true, secret: lease}
}
