package workers

import (
	"context"
	"log/slog"
	"time"

	"github.com/rolecall-dev/rolecall/workflows"
)

// signals tell a run how an attempt gets on: that its handler runs, after a while, and its progress, throttled. An attempt that is
// over sooner sends none. None is made once the handler has returned: the answer carries the last progress.
type signals struct {
	port     temporalPort
	ref      attemptRef
	reporter *reporter
	held     func() bool // whether the lease still holds
	log      *slog.Logger

	begin   time.Time       // of the handler
	before  time.Duration   // how long the task had been going on by then
	done    <-chan struct{} // closed when the handler has returned
	quiet   bool            // the run is gone, or refuses
	sent    int             // version of the progress that the run has
	lastTry time.Time
}

// run sends until the handler has returned or ctx ends.
func (s *signals) run(ctx context.Context) {
	select {
	case <-s.done:
		return
	case <-ctx.Done():
		return
	case <-time.After(time.Until(s.begin.Add(startedAfter))):
	}
	s.send(ctx, func() (string, any) {
		return workflows.AttemptStarted.Name, workflows.AttemptStartedInput{
			Stage: s.reporter.stage, Attempt: s.reporter.attempt, AgentID: s.reporter.agentID, StartedAt: s.begin.UTC(),
		}
	})
	for s.reporter.signalled() < maxSignals && s.next(ctx) {
		s.progress(ctx)
	}
}

// next waits until the next progress is due; false when there is none before the handler has returned.
func (s *signals) next(ctx context.Context) bool {
	for {
		select {
		case <-s.done:
			return false
		case <-ctx.Done():
			return false
		case <-s.reporter.progressed:
		}
		if _, version := s.reporter.newest(); version != s.sent {
			break
		}
	}
	if s.lastTry.IsZero() {
		return true
	}
	elapsed := s.before + time.Since(s.begin)
	select {
	case <-s.done:
		return false
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(s.lastTry.Add(progressInterval(elapsed)))):
		return true
	}
}

// progress sends the newest progress unless the run has it.
func (s *signals) progress(ctx context.Context) {
	version := 0
	ok := s.send(ctx, func() (string, any) {
		p, v := s.reporter.newest()
		if v == s.sent {
			return "", nil
		}
		version, s.lastTry = v, time.Now()
		return workflows.TaskProgressed.Name, workflows.TaskProgressedInput{
			Stage: s.reporter.stage, Attempt: s.reporter.attempt, N: s.reporter.nextSignal(), Progress: p,
		}
	})
	if ok && version > 0 {
		s.sent = version
	}
}

// send makes a signal and sends it, again and again while Temporal is away, the lease holds and the handler runs. Each try is made
// anew, so that it carries the newest. That the run is gone is normal.
func (s *signals) send(ctx context.Context, next func() (name string, arg any)) bool {
	for wait := time.Duration(0); s.held() && !s.quiet && ctx.Err() == nil; {
		name, arg := next()
		if name == "" {
			return false
		}
		call, cancel := context.WithTimeout(ctx, signalTry)
		err := s.port.SignalWorkflow(call, s.ref.workflowID, s.ref.runID, name, arg)
		cancel()
		switch readReply(err) {
		case replyOK:
			return true
		case replyUnknown:
		default:
			s.quiet = true
			s.log.Debug("the run takes no more signals", "signal", name, "error", err)
			return false
		}
		wait = nextRetry(wait)
		select {
		case <-s.done:
			return false
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return false
}
