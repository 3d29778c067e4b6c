// Package engine is the Temporal side of the API: it starts, reads, waits for, cancels and answers tasks over a Temporal client, and likewise
// sessions and plans.
//
// A running task is one describe, cached for a moment and shared by whoever asks at the same time. A finished one is its close
// event, so no worker is needed to read it. All waiters for one task, or one plan, share one watch. Every error is an [sdk.Error]; the
// message of one with code internal is the cause, for the log only.
package engine
