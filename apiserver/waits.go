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

// waits counts the requests that wait, or the streams that are open.
type waits struct {
	most waitBounds

	mu        sync.Mutex
	all       int
	ofKey     map[string]int // by the id of the key; none is 0
	ofAttempt map[string]int // by the attempt's name; none is 0
}

// waitBounds are how many there may be of what is counted, and what to say to one too many.
type waitBounds struct {
	all, ofAKey, ofAnAttempt int
	already                  string // such as "wait already"
	instead                  string // what to do, such as "ask again later"
}

func (w *waits) bound(most waitBounds) {
	w.most, w.ofKey, w.ofAttempt = most, map[string]int{}, map[string]int{}
}

// enter takes a place for a caller's request. leave gives it back.
func (w *waits) enter(who caller) (leave func(), err *sdk.Error) {
	key, attempt := who.key, ""
	if who.attempt != nil {
		attempt = who.attempt.name()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	tooMany := ""
	switch {
	case w.all >= w.most.all:
		tooMany = "too many requests"
	case key != "" && w.ofKey[key] >= w.most.ofAKey:
		tooMany = "too many requests of the API key"
	case attempt != "" && w.ofAttempt[attempt] >= w.most.ofAnAttempt:
		tooMany = "too many requests of the attempt"
	}
	if tooMany != "" {
		return nil, &sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: retryWait, Message: tooMany + " " + w.most.already + "; " + w.most.instead}
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
