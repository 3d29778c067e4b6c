package apiserver

import (
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// How many requests may wait at once, in this process; one more is refused as rate_limited.
const (
	maxWaits            = 10_000
	maxWaitsOfAKey      = 1_000
	maxWaitsOfAnAttempt = 50 // of the 1,000 of the key that the attempt's key was made with
)

// retryWait is what a caller is told who may not wait.
const retryWait = 2 * time.Second

// waits counts the requests that wait.
type waits struct {
	mu        sync.Mutex
	all       int
	ofKey     map[string]int // by the id of the key; none is 0
	ofAttempt map[string]int // by the attempt's name; none is 0
}

// enter takes a place for a caller's request. leave gives it back.
func (w *waits) enter(who caller) (leave func(), err *sdk.Error) {
	key, attempt := who.key, ""
	if who.attempt != nil {
		attempt = who.attempt.name()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.all >= maxWaits:
		return nil, &sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: retryWait,
			Message: "too many requests wait already; ask again later, or without waitMs"}
	case key != "" && w.ofKey[key] >= maxWaitsOfAKey:
		return nil, &sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: retryWait,
			Message: "too many requests of the API key wait already; ask again later, or without waitMs"}
	case attempt != "" && w.ofAttempt[attempt] >= maxWaitsOfAnAttempt:
		return nil, &sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: retryWait,
			Message: "too many requests of the attempt wait already; ask again later, or without waitMs"}
	}
	w.all++
	w.ofKey[key]++
	if attempt != "" {
		w.ofAttempt[attempt]++
	}
	return func() { w.leave(key, attempt) }, nil
}

func (w *waits) leave(key, attempt string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.ofKey[key]--; w.ofKey[key] == 0 {
		delete(w.ofKey, key)
	}
	if attempt == "" {
		return
	}
	if w.ofAttempt[attempt]--; w.ofAttempt[attempt] == 0 {
		delete(w.ofAttempt, attempt)
	}
}

// count is how many requests wait now.
func (w *waits) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all
}
