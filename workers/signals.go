package workers

import (
	"context"
	"log/slog"
	"time"

	"github.com/rolecall-dev/rolecall/workflows"
)

// signals tell a run how an attempt gets on: that its handler runs, after a while, and its progress, throttled. An attempt that is
// over sooner sends none. None is made once the handler has returned: the answer carries the last progress. It waits for one that was
// tried and not acknowledged, since it counts it: the run must not get it after the answer.
type signals struct {
	port     temporalPort
	ref      attemptRef
	reporter *reporter
	held     func() bool      // whether the lease still holds
	answerBy func() time.Time // when the answer is to be tried, so that it has all of the time that the lease gives it
	log      *slog.Logger

	begin  time.Time       // of the handler
	before time.Duration   // how long the task had been going on by then
	done   <-chan struct{} // closed when the handler has returned
	quiet  bool            // the run is gone, or refuses
	last   time.Time       // when the last progress was signalled first
}

// run sends until the handler has returned or ctx ends.
func (s *signals) run(ctx context.Context) {
	if !s.pass(ctx, time.Until(s.begin.Add(startedAfter))) || !s.kept(ctx, s.reporter.startKept) {
		return
	}
	s.send(ctx, workflows.AttemptStarted.Name, workflows.AttemptStartedInput{
		Stage: s.reporter.stage, Attempt: s.reporter.attempt, AgentID: s.reporter.agentID, StartedAt: s.begin.UTC(),
	})
	for s.reporter.signalled() < maxSignals && !s.quiet && !s.returned() && s.next(ctx) {
		n, p := s.reporter.takeSignal()
		s.last = time.Now()
		s.send(ctx, workflows.TaskProgressed.Name, workflows.TaskProgressedInput{
			Stage: s.reporter.stage, Attempt: s.reporter.attempt, N: n, Progress: p,
		})
	}
}

// next waits until the next progress is due; false when there is none before the handler has returned.
func (s *signals) next(ctx context.Context) bool {
	if !s.kept(ctx, s.reporter.signalKept) {
		return false
	}
	if s.last.IsZero() {
		return true
	}
	elapsed := s.before + time.Since(s.begin)
	return s.pass(ctx, time.Until(s.last.Add(progressInterval(elapsed))))
}

// kept waits until Temporal has acknowledged what is asked for; false when it has not before the handler has returned.
func (s *signals) kept(ctx context.Context, enough func() bool) bool {
	for !enough() {
		select {
		case <-s.done:
			return false
		case <-ctx.Done():
			return false
		case <-s.reporter.acknowledged:
		}
	}
	return true
}

// pass waits for a time; false when the handler has returned before.
func (s *signals) pass(ctx context.Context, wait time.Duration) bool {
	select {
	case <-s.done:
		return false
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// returned reports whether the handler has.
func (s *signals) returned() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// send sends a signal, the same again and again while Temporal is away, the lease holds and the handler runs; a progress, which the answer
// counts, also after that, until the answer has to be tried. That the run is gone is normal.
func (s *signals) send(ctx context.Context, name string, arg any) {
	_, counted := arg.(workflows.TaskProgressedInput)
	var last time.Time // when it is given up, once the handler has returned
	for wait := time.Duration(0); s.held() && !s.quiet && ctx.Err() == nil; {
		try := signalTry
		if !last.IsZero() {
			try = min(try, time.Until(last))
		}
		if try <= 0 {
			s.log.Warn("the answer does not wait any longer for a signal to be acknowledged", "signal", name)
			return
		}
		call, cancel := context.WithTimeout(ctx, try)
		err := s.port.SignalWorkflow(call, s.ref.workflowID, s.ref.runID, name, arg)
		cancel()
		switch readReply(err) {
		case replyOK:
			return
		case replyUnknown:
		default:
			s.quiet = true
			s.log.Debug("the run takes no more signals", "signal", name, "error", err)
			return
		}
		if wait = nextRetry(wait); s.pass(ctx, wait) {
			continue
		}
		if !counted {
			return
		}
		if last.IsZero() {
			last = s.answerBy()
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(wait, time.Until(last))):
		}
	}
}
