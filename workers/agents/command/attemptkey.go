//go:build linux || darwin

package command

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	// mintPatience is the default of minter.most.
	mintPatience = 2 * time.Second
	// mintTry is the default of minter.try.
	mintTry = time.Second
	// mintPause is before another try, unless the service asks for more.
	mintPause = 100 * time.Millisecond
	// mintShort bounds the one try of an attempt while there are no keys.
	mintShort = 300 * time.Millisecond
	// mintEvery is how often an attempt waits as if there were keys while there are none: they may be there, and slow.
	mintEvery = 5 * time.Second
)

// minter gets each attempt its key for the API. Work does not depend on it: where there is none, the attempt goes on without.
type minter struct {
	api  *sdk.Client   // nil without an API key
	most time.Duration // that an attempt waits for its key, all tries together
	try  time.Duration // that it waits for one of them

	mu      sync.Mutex
	without bool      // whether the service gave none to the last attempt that could have had one
	patient time.Time // when an attempt last began to wait for as long as most
}

// api is a client of the API with the worker's own key, nil where it has none.
func (c Config) api() (*sdk.Client, error) {
	if c.APIKey == "" {
		return nil, nil
	}
	api, err := sdk.NewClient(sdk.Config{URL: c.ServiceURL, APIKey: c.APIKey, ProjectID: c.Project, UserAgent: "rolecall-worker"})
	if err != nil {
		return nil, fmt.Errorf("command agent: %w", err)
	}
	return api, nil
}

// mint answers a key for the attempt, or "" where there is none to be had. That is logged when it begins and when it ends; where it is
// about this attempt alone, for each.
func (m *minter) mint(ctx context.Context, at *attempt) string {
	if m.api == nil {
		return ""
	}
	key, err := m.ask(ctx, at.in, m.patience())
	switch {
	case err == nil:
		if m.found(true) {
			at.log.Info("agents get a key for the API again")
		}
	case ctx.Err() != nil: // the attempt is to stop
	case errors.Is(err, sdk.ErrConflict):
		at.log.Info("this agent gets no key for the API and goes on without", "error", err)
	case errors.Is(err, sdk.ErrRateLimited):
		at.log.Warn("this agent gets no key for the API and goes on without: raise ROLECALL_RATE_LIMIT, or give workers keys of their own", "error", err)
	case m.found(false):
		at.log.Warn("the agent gets no key for the API and goes on without; so will others, until the log says that there are keys again", "error", err)
	}
	return key.Key
}

// patience is how long an attempt may wait for its key.
func (m *minter) patience() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.without && time.Since(m.patient) < mintEvery {
		return mintShort
	}
	m.patient = time.Now()
	return m.most
}

// found notes whether there are keys, and reports whether that is new.
func (m *minter) found(keys bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := m.without == keys
	m.without = !keys
	return changed
}

// ask asks for a key. Where there is time for it, it asks once more when the service was not there, and again whenever the service says
// that it is asked too much.
func (m *minter) ask(ctx context.Context, a *sdk.Assignment, patience time.Duration) (sdk.AttemptKey, error) {
	until := time.Now().Add(patience)
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for tries := 1; ; tries++ {
		try, stop := context.WithTimeout(ctx, m.try)
		key, err := m.api.MintAttemptKey(try, a.Task.ID, a.Stage, a.Attempt)
		stop()
		pause, again := mintAgain(err, tries)
		if !again || patience < m.most || time.Until(until) <= pause {
			return key, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return key, err
		}
	}
}

// mintAgain tells whether to ask for a key again, and after how long. Many that are asked to wait do not come back together.
func mintAgain(err error, tries int) (pause time.Duration, again bool) {
	switch {
	case errors.Is(err, sdk.ErrRateLimited):
		if e, ok := errors.AsType[*sdk.Error](err); ok {
			pause = e.RetryAfter
		}
		pause = max(pause, mintPause)
		return pause + rand.N(pause/2), true
	case errors.Is(err, sdk.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return mintPause, tries == 1
	default:
		return 0, false
	}
}
