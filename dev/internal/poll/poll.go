// Package poll waits for facts by looking at them again and again.
package poll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// interval is the gap between two looks.
const interval = 20 * time.Millisecond

// giveUp ends an [Until].
type giveUp struct{ error }

func (g giveUp) Unwrap() error { return g.error }

// GiveUp wraps an error that makes [Until] end at once with that error.
func GiveUp(err error) error { return giveUp{err} }

// Until repeats a look until it returns nil, at most for the given time. The error holds that of the last look.
func Until(ctx context.Context, atMost time.Duration, look func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		last := look(bounded)
		if last == nil {
			return nil
		}
		if g, ok := errors.AsType[giveUp](last); ok {
			return g.error
		}
		select {
		case <-bounded.Done():
			return fmt.Errorf("not within %s: %w", atMost, errors.Join(ctx.Err(), last))
		case <-tick.C:
		}
	}
}

// OK looks at an address and returns nil when it answers 200.
func OK(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return GiveUp(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}
