// Package workers holds the processes that do work for Temporal: the control worker, which runs the workflows, and the role
// worker, which lets an [sdk.Handler] work on the tasks of one or several roles.
//
//	temporal, err := workers.TemporalFromEnv()
//	...
//	err = workers.RunRole(ctx, workers.Config{Roles: []sdk.Role{sdk.RoleCoder}, Temporal: temporal}, handler)
//
// # One attempt
//
// An attempt holds a lease: heartbeats from its entry to its answer, and the clock of the last one that was acknowledged. The
// handler's context is the package's own, not Temporal's, and ends for three causes only: [sdk.ErrCancelRequested],
// [sdk.ErrInterruptedAttempt] and [sdk.ErrLeaseLost]. Temporal being away for less than the lease is none of them.
//
// attempt.go is the walk of one attempt, lease.go its heartbeats, signals.go what it tells the run meanwhile, answer.go how its
// end is told, slots.go how many run at once, drain.go how a worker stops.
package workers
