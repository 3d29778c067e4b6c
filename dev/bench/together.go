package bench

import (
	"context"
	"sync"
	"time"
)

// Together has n callers call do over and over until a time, or until one of them fails, and answers what failed.
func Together(n int, over time.Time, do func() error) error {
	failed, fail := context.WithCancelCause(context.Background())
	defer fail(nil)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for time.Now().Before(over) && failed.Err() == nil {
				if err := do(); err != nil {
					fail(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(failed)
}
