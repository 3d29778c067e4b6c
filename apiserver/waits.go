package apiserver

import (
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// How many requests may wait at once, in this process; one more is refused as rate_limited.
const (
	maxWaits       = 10_000
	maxWaitsOfAKey = 1_000
)

// retryWait is what a caller is told who may not wait.
const retryWait = 2 * time.Second

// waits counts the requests that wait.
type waits struct {
	mu    sync.Mutex
	all   int
	ofKey map[string]int // by the id of the key; none is 0
}

// enter takes a place for a request of a key, or without keys of "". leave gives it back.
func (w *waits) enter(key string) (leave func(), err *sdk.Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.all >= maxWaits:
		return nil, &sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: retryWait,
			Message: "too many requests wait already; ask again later, or without waitMs"}
	case key != "" && w.ofKey[key] >= maxWaitsOfAKey:
		return nil, &sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: retryWait,
			Message: "too many requests of the API key wait already; ask again later, or without waitMs"}
	}
	w.all++
	w.ofKey[key]++
	return func() { w.leave(key) }, nil
}

func (w *waits) leave(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.ofKey[key]--; w.ofKey[key] == 0 {
		delete(w.ofKey, key)
	}
}

// count is how many requests wait now.
func (w *waits) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all
}
