package sdk

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// AttemptKey is an API key for the agent of one attempt: it reads, publishes events and delegates children of its task, and ends
// with the attempt.
type AttemptKey struct {
	Key       string    `json:"key" doc:"The key, for Authorization: Bearer. It is kept nowhere."`
	ExpiresAt time.Time `json:"expiresAt" doc:"When it ends at the latest; it ends with the attempt before."`
}

// String is the key's end, without the key.
func (k AttemptKey) String() string { return "attempt key until " + k.ExpiresAt.Format(time.RFC3339) }

// LogValue keeps the key out of logs.
func (k AttemptKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MintAttemptKey makes a key for the agent of an attempt that the calling worker has in hand, as [Assignment] names it. The client's own
// key needs the scope work. An attempt that nobody has, and a service without keys, are errors of code conflict. The call is sent once;
// repeating it is harmless.
func (c *Client) MintAttemptKey(ctx context.Context, taskID string, stage, attempt int) (AttemptKey, error) {
	if err := checkID("task", taskID); err != nil {
		return AttemptKey{}, err
	}
	body := struct {
		Stage   int `json:"stage"`
		Attempt int `json:"attempt"`
	}{stage, attempt}
	var key AttemptKey
	if err := c.do(ctx, call{method: http.MethodPost, url: c.taskURL(taskID, "key"), body: body}, &key); err != nil {
		return AttemptKey{}, err
	}
	if key.Key == "" {
		return AttemptKey{}, Errorf(CodeInternal, "%s did not answer like rolecall; look at EVENTS_SERVICE_URL", c.base.Redacted())
	}
	return key, nil
}
