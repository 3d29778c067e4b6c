package sdk

import "time"

// receiveGrace is the grace unless [DrainGrace] says another.
const receiveGrace = 30 * time.Second

// ServiceOption says more of a [Service].
type ServiceOption interface{ applyService(*Service) }

// RunOption says more of [Durable.Run]; a [Service] takes it, too.
type RunOption interface {
	ServiceOption
	applyRun(*receiving)
}

// receiving is how a receiver works.
type receiving struct {
	concurrency int
	grace       time.Duration
	failed      func(*Delivery, error)
}

func receivingOf(opts []RunOption) (receiving, error) {
	how := receiving{concurrency: 1, grace: receiveGrace}
	for _, o := range opts {
		o.applyRun(&how)
	}
	if how.concurrency < 1 || how.concurrency > MaxPull || how.grace < 0 {
		return how, Errorf(CodeInvalidInput, "the concurrency must be from 1 to %d, and the grace not negative", MaxPull)
	}
	return how, nil
}

func (r receiving) tell(d *Delivery, err error) {
	if r.failed != nil {
		r.failed(d, err)
	}
}

type runOption func(*receiving)

func (o runOption) applyRun(r *receiving)   { o(r) }
func (o runOption) applyService(s *Service) { s.run = append(s.run, o) }

// Concurrency is how many events are handled at once, 1 to [MaxPull]. The default is 1, and events come in order then, but for those
// that are given out again and those of other receivers.
func Concurrency(n int) RunOption { return runOption(func(r *receiving) { r.concurrency = n }) }

// DrainGrace is how long handlers that run may go on when ctx has ended; then their contexts end. The default is 30 seconds.
func DrainGrace(d time.Duration) RunOption { return runOption(func(r *receiving) { r.grace = d }) }

// OnFailure has f called with each failure of a handler, with its delivery, and with each call to the service that failed, with nil: one that
// is tried again, or that an event could not be settled or kept with. Without it they are passed over. It is called by several goroutines
// at once.
func OnFailure(f func(*Delivery, error)) RunOption {
	return runOption(func(r *receiving) { r.failed = f })
}
