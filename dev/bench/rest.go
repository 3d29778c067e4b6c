package bench

import (
	"context"
	"time"
)

// When processes are taken to have come to rest.
const (
	restWindow  = 100 * time.Millisecond
	restUse     = 20 * time.Millisecond // of CPU time in a window at most; an idle server uses less
	restWindows = 2                     // in a row
	restMost    = 5 * time.Second       // after that a block begins or ends as it is
)

// Rest waits until processes that have used so much CPU time use hardly any more: what one block left to be done, such as rows of visibility,
// would be counted in the next.
func Rest(ctx context.Context, used func() time.Duration) {
	over := time.NewTimer(restMost)
	defer over.Stop()
	tick := time.NewTicker(restWindow)
	defer tick.Stop()
	for calm, last := 0, used(); calm < restWindows; {
		select {
		case <-ctx.Done():
			return
		case <-over.C:
			return
		case <-tick.C:
		}
		now := used()
		if calm++; now-last > restUse {
			calm = 0
		}
		last = now
	}
}
