package sdk

import (
	"maps"
	"slices"
	"time"
)

// The defaults of a task.
const (
	DefaultMaxAttempts        = 3
	DefaultInitialIntervalMs  = 1000
	DefaultBackoffCoefficient = 2
	DefaultMaxIntervalMs      = 60_000
	DefaultAttemptMs          = int64(time.Hour / time.Millisecond)
	DefaultTotalMs            = int64(7 * 24 * time.Hour / time.Millisecond)
	DefaultHeartbeatMs        = 30_000
	DefaultInputMs            = int64(24 * time.Hour / time.Millisecond)
)

// Resolve answers the request with its aliases and defaults filled in, sharing nothing with the original. Fallback stages come
// out whole: what a stage leaves out is taken from the task, so role, retry and timeouts of every stage are set. QueueMs stays
// 0 where it is not set: what is left of totalMs. Resolving twice changes nothing.
func (r TaskRequest) Resolve() TaskRequest {
	if p, ok := r.Priority.Canonical(); ok {
		r.Priority = p
	}
	if r.Role == "" {
		r.Role, _ = r.Type.DefaultRole()
	}
	r.Input, r.Budget = slices.Clone(r.Input), slices.Clone(r.Budget)
	r.Capabilities = slices.Clone(r.Capabilities)
	r.Metadata = maps.Clone(r.Metadata)
	retry := r.Retry.resolve(Retry{
		MaxAttempts: DefaultMaxAttempts, InitialIntervalMs: DefaultInitialIntervalMs,
		BackoffCoefficient: DefaultBackoffCoefficient, MaxIntervalMs: DefaultMaxIntervalMs,
	})
	timeouts := r.Timeouts.resolve()
	r.Retry, r.Timeouts = &retry, &timeouts
	stages := make([]Stage, len(r.Fallback))
	for i, s := range r.Fallback {
		stages[i] = s.resolve(r.Role, retry, timeouts)
	}
	r.Fallback = stages
	return r
}

func (r *Retry) resolve(base Retry) Retry {
	if r == nil {
		return base
	}
	out := *r
	if out.MaxAttempts == 0 {
		out.MaxAttempts = base.MaxAttempts
	}
	if out.InitialIntervalMs == 0 {
		out.InitialIntervalMs = base.InitialIntervalMs
		if out.MaxIntervalMs != 0 {
			out.InitialIntervalMs = min(base.InitialIntervalMs, out.MaxIntervalMs)
		}
	}
	if out.BackoffCoefficient == 0 {
		out.BackoffCoefficient = base.BackoffCoefficient
	}
	if out.MaxIntervalMs == 0 {
		out.MaxIntervalMs = max(base.MaxIntervalMs, out.InitialIntervalMs)
	}
	return out
}

func (t *Timeouts) resolve() Timeouts {
	out := Timeouts{}
	if t != nil {
		out = *t
	}
	out.AttemptMs = orDefault(out.AttemptMs, DefaultAttemptMs)
	out.TotalMs = orDefault(out.TotalMs, DefaultTotalMs)
	out.HeartbeatMs = orDefault(out.HeartbeatMs, DefaultHeartbeatMs)
	out.InputMs = orDefault(out.InputMs, DefaultInputMs)
	return out
}

func (s Stage) resolve(role Role, retry Retry, timeouts Timeouts) Stage {
	if s.Role == "" {
		s.Role = role
	}
	resolved := s.Retry.resolve(retry)
	own := StageTimeouts{}
	if s.Timeouts != nil {
		own = *s.Timeouts
	}
	own.QueueMs = orDefault(own.QueueMs, timeouts.QueueMs)
	own.AttemptMs = orDefault(own.AttemptMs, timeouts.AttemptMs)
	own.HeartbeatMs = orDefault(own.HeartbeatMs, timeouts.HeartbeatMs)
	s.Retry, s.Timeouts = &resolved, &own
	return s
}

func orDefault(v, fallback int64) int64 {
	if v == 0 {
		return fallback
	}
	return v
}
