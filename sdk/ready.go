package sdk

import (
	"context"
	"net/http"
)

// Ready answers nil when the service can take tasks. An error of code unavailable with a Status comes from a service that is there
// but can not reach what it needs; one without a Status means that nobody answered. It is sent once.
func (c *Client) Ready(ctx context.Context) error {
	var health struct {
		Status string `json:"status"`
	}
	if err := c.do(ctx, call{method: http.MethodGet, url: c.address(nil, "readyz")}, &health); err != nil {
		return err
	}
	if health.Status == "" {
		return Errorf(CodeInternal, "%s did not answer like rolecall; look at EVENTS_SERVICE_URL", c.base.Redacted())
	}
	return nil
}
