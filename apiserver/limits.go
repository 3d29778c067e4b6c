package apiserver

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits holds each key to so many requests a second, in this process.
type limits struct {
	perSecond float64 // 0 is no limit
	burst     int
	most      int // how many keys are counted at once

	mu    sync.Mutex               // one for all: what it guards takes less than a microsecond
	known map[string]*rate.Limiter // by the key's id
}

func newLimits(perSecond float64, burst, most int) *limits {
	return &limits{perSecond: perSecond, burst: burst, most: most, known: map[string]*rate.Limiter{}}
}

// take counts one request of a key. It answers 0, or after how long the key may make the next one; such a request does not count.
func (l *limits) take(key string) time.Duration {
	if l.perSecond == 0 {
		return 0
	}
	l.mu.Lock() // over the clock too: a limiter that is told of an earlier time counts the time since twice
	defer l.mu.Unlock()
	now := time.Now()
	next := l.of(key, now).ReserveN(now, 1)
	wait := next.DelayFrom(now)
	if wait > 0 {
		next.CancelAt(now) // gives back what was taken as long as nobody has reserved since
	}
	return wait
}

// of is the limiter of a key; mu is held.
func (l *limits) of(key string, now time.Time) *rate.Limiter {
	known := l.known[key]
	if known == nil {
		if len(l.known) >= l.most {
			l.forget(now)
		}
		known = rate.NewLimiter(rate.Limit(l.perSecond), l.burst)
		l.known[key] = known
	}
	return known
}

// forget makes room: the keys that have been quiet lose nothing by it, and where there is none, one that has not is let off.
func (l *limits) forget(now time.Time) {
	for key, known := range l.known {
		if known.TokensAt(now) >= float64(l.burst) {
			delete(l.known, key)
		}
	}
	for key := range l.known {
		if len(l.known) < l.most {
			return
		}
		delete(l.known, key)
	}
}
