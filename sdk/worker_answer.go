package sdk

import (
	"context"
	"errors"
	"time"
)

// answer tells the service how the attempt ended, unless nobody wants to know: a success whatever came meanwhile; otherwise a cancellation or
// an interruption goes before what the handler said when it was stopped. While the service is away it is told again and again, until the
// lease is over. Heartbeats go on meanwhile, so that it is not while the service takes those; then it is told for as long as two leases last.
func (a *leased) answer(result *Result, err, cause error) {
	if a.gone.Load() {
		a.log.Info("the attempt had ended already; its outcome is dropped")
		return
	}
	base := context.WithoutCancel(a.ctx)
	latest := time.Now().Add(2*a.length + answerMargin)
	tell := a.saying(result, err, cause)
	a.lastWord(base)
	retry, try := backoff{initial: claimPause, limit: time.Second}, max(a.length/6, answerTry)
	for {
		failed := a.once(base, try, tell)
		switch {
		case failed == nil:
			return
		case errors.Is(failed, ErrLeaseLost), errors.Is(failed, ErrNotFound):
			a.log.Info("the attempt had ended before its answer; it is dropped")
			return
		case errors.Is(failed, ErrPayloadTooLarge), errors.Is(failed, ErrInvalidInput), errors.Is(failed, ErrInvalidJSON):
			a.log.Error("the service refuses the attempt's answer", "error", failed)
			if err != nil && errors.Is(err, errRefusedAnswer) {
				return
			}
			code := CodeInvalidOutput
			if errors.Is(failed, ErrPayloadTooLarge) {
				code = CodePayloadTooLarge
			}
			err = errors.Join(errRefusedAnswer, Final(code, failed))
			tell = a.failing(AsAgentError(err), false)
			continue
		case refused(failed):
			a.log.Error("the service refuses the attempt's answer", "error", failed)
			return
		}
		pause, _ := retry.next(failed)
		end := time.Unix(0, a.heard.Load()).Add(a.length + answerMargin)
		if next := time.Now().Add(pause); next.After(end) || next.After(latest) {
			a.log.Error("the attempt's answer is given up: the service did not take it in time", "error", failed)
			return
		}
		if sleep(base, pause) != nil {
			return
		}
		try = min(2*try, callTimeout) // a large answer may need the time
	}
}

// once tells the service how the attempt ended, within a time: a connection that hangs is not to use up the lease.
func (a *leased) once(ctx context.Context, most time.Duration, tell func(context.Context) error) error {
	call, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return tell(call)
}

var errRefusedAnswer = errors.New("the service refused the attempt's answer")

// saying is the call that says how the attempt ended.
func (a *leased) saying(result *Result, err, cause error) func(context.Context) error {
	resume, spent := a.reporter.last()
	question, asks := errors.AsType[*InputRequired](err)
	switch {
	case err == nil && result == nil:
		return a.failing(Final(CodeInvalidOutput, errors.New("the agent returned neither a result nor an error")), true)
	case err == nil:
		return a.completing(*result, spent)
	case a.cancel.Load():
		return a.failing(AsAgentError(err), true)
	case asks:
		return func(ctx context.Context) error {
			return a.w.client.AskLease(ctx, a.lease.Token, LeaseQuestion{Prompt: question.Prompt, Schema: question.Schema, Resume: resume, Metrics: spent})
		}
	case errors.Is(cause, ErrInterruptedAttempt), errors.Is(cause, ErrLeaseLost):
		return a.failing(Retryable(CodeInterrupted, ErrInterruptedAttempt), true)
	default:
		fault := *AsAgentError(err)
		if fault.Code.Reserved() {
			fault.Code = CodeAgentFailed
		}
		return a.failing(&fault, true)
	}
}

func (a *leased) completing(r Result, spent *Metrics) func(context.Context) error {
	if spent != nil {
		r.Metrics = r.Metrics.Or(*spent)
	}
	body := LeaseResult{
		Output: r.Output, Metrics: &r.Metrics, Model: Cut(r.Model, MaxModel), QualityGatePassed: r.QualityGatePassed,
		QualityGate: fitting(r.QualityGate), Reflection: fitting(r.Reflection), EpisodeRefs: r.EpisodeRefs,
	}
	return func(ctx context.Context) error {
		if err := CheckJSON(r.Output, MaxOutput); len(r.Output) > 0 && err != nil {
			return err
		}
		return a.w.client.CompleteLease(ctx, a.lease.Token, body)
	}
}

// fitting drops what describes a result and is too large or no JSON: it is not worth losing the result for.
func fitting(raw []byte) []byte {
	if len(raw) == 0 || CheckJSON(raw, MaxReflection) != nil {
		return nil
	}
	return raw
}

// failing is the call that fails the attempt. What it kept for the next one goes along, unless the service has refused it.
func (a *leased) failing(e *AgentError, kept bool) func(context.Context) error {
	fault := e.Trim()
	if fault.Message == "" {
		fault.Message = "the agent failed without saying why"
	}
	body := LeaseFailure{Error: LeaseError{
		Code: fault.Code, Message: fault.Message, Details: fault.Details, Retryable: &e.Retryable,
		RetryAfterMs: min(max(e.RetryAfter.Milliseconds(), 0), MaxTimeoutMs),
	}}
	if kept {
		body.Resume, body.Metrics = a.reporter.last()
	}
	return func(ctx context.Context) error { return a.w.client.FailLease(ctx, a.lease.Token, body) }
}

// lastWord tells the progress that the service has not heard of yet. It is not worth more than one try.
func (a *leased) lastWord(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	select {
	case a.speaks <- struct{}{}:
		defer func() { <-a.speaks }()
	case <-call.Done():
		return
	}
	word, taken := a.reporter.word()
	if word.Silent() {
		return
	}
	if _, err := a.w.client.reportOnce(call, a.lease.Token, word); err == nil {
		taken()
	}
}
