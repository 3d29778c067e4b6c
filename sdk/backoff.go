package sdk

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// maxPatience is the longest Retry-After that is waited for inside one call; a longer one is the caller's to decide about.
const maxPatience = 30 * time.Second

// backoff spaces the repetitions of a call: the pause doubles from initial to limit, each shortened at random by up to a half
// so that many callers do not come back together. What the service asks for with Retry-After is kept to.
type backoff struct {
	initial, limit time.Duration
	failures       int
}

// next is the pause after one more failure; patient is false when the service asks for more than [maxPatience].
func (b *backoff) next(err error) (pause time.Duration, patient bool) {
	pause = b.limit
	if b.failures < 30 {
		pause = min(b.initial<<b.failures, b.limit)
	}
	b.failures++
	pause -= rand.N(pause/2 + 1)
	if e, ok := errors.AsType[*Error](err); ok && e.RetryAfter > 0 {
		return max(pause, min(e.RetryAfter, maxPatience)), e.RetryAfter <= maxPatience
	}
	return pause, true
}

func (b *backoff) reset() { b.failures = 0 }

// transient reports whether a call may succeed when it is sent again: nobody answered, or a server or proxy that is starting,
// stopping or overloaded.
func transient(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case 0:
		return e.Code == CodeUnavailable
	default:
		return false
	}
}

// sleep waits for d; it answers the context's error when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cause is a transport error without the method and URL that net/http puts before it.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
