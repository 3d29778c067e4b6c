package transcript

import "time"

// Option chooses how events are read.
type Option func(*options)

type options struct {
	careful bool
	now     func() time.Time
	maxLine int
}

// DefaultMaxLine is the longest line in bytes that a [Reader] reads wholly.
const DefaultMaxLine = 16 << 20

// Careful chooses the version for the streams of real agents, in place of the keyword rules.
func Careful() Option { return func(o *options) { o.careful = true } }

// Clock is where an event's time comes from when the agent does not say it. Default [time.Now].
func Clock(now func() time.Time) Option { return func(o *options) { o.now = now } }

// MaxLine is the longest line in bytes that a [Reader] reads wholly, at least 1. Default [DefaultMaxLine].
func MaxLine(bytes int) Option { return func(o *options) { o.maxLine = max(bytes, 1) } }

func with(opts []Option) options {
	o := options{now: time.Now, maxLine: DefaultMaxLine}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}
