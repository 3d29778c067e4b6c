//go:build linux || darwin

package command

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	// mintPatience bounds how long an attempt waits for its key, both tries together.
	mintPatience = 2 * time.Second
	// mintTry bounds the first try.
	mintTry = time.Second
	// mintPause is between the two tries.
	mintPause = 100 * time.Millisecond
)

// minter gets each attempt its key for the API. Work does not depend on it: where there is none, the attempt goes on without.
type minter struct {
	api     *sdk.Client // nil without an API key
	without atomic.Bool // whether the last attempt got none
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

// mint answers a key for the attempt, or "" where there is none to be had. That is logged when it begins and when it ends.
func (m *minter) mint(ctx context.Context, at *attempt) string {
	if m.api == nil {
		return ""
	}
	key, err := m.ask(ctx, at.in)
	switch {
	case err == nil && m.without.Swap(false):
		at.log.Info("agents get a key for the API again")
	case err != nil && ctx.Err() == nil && !m.without.Swap(true):
		at.log.Warn("the agent gets no key for the API and goes on without; so will others, until the log says that there are keys again", "error", err)
	}
	return key.Key
}

// ask asks for a key, and once more when the service was not there.
func (m *minter) ask(ctx context.Context, a *sdk.Assignment) (sdk.AttemptKey, error) {
	ctx, cancel := context.WithTimeout(ctx, mintPatience)
	defer cancel()
	first, stop := context.WithTimeout(ctx, mintTry)
	key, err := m.api.MintAttemptKey(first, a.Task.ID, a.Stage, a.Attempt)
	stop()
	if err == nil || !errors.Is(err, sdk.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
		return key, err
	}
	select {
	case <-time.After(mintPause):
	case <-ctx.Done():
		return key, err
	}
	return m.api.MintAttemptKey(ctx, a.Task.ID, a.Stage, a.Attempt)
}
