package eventlog

import (
	"errors"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestAProjectWithTooMuchToWriteIsRefusedAlone, and not as a log that is away.
func TestAProjectWithTooMuchToWriteIsRefusedAlone(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	p, err := l.project("p")
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.queued = maxQueued
	p.mu.Unlock()
	_, err = l.Append(bounded(t), "p", []sdk.Event{anEvent("a", "x.y")})
	if e, ok := errors.AsType[*sdk.Error](err); !ok || e.Code != sdk.CodeRateLimited || e.RetryAfter <= 0 {
		t.Errorf("a full queue: %v", err)
	}
	if _, err := l.Append(bounded(t), "q", []sdk.Event{anEvent("a", "x.y")}); err != nil {
		t.Errorf("another project: %v", err)
	}
}
