// Package workflows holds the deterministic code that decides what happens to a task: which attempt is next, when another stage
// takes over, when a question is asked and when it is over.
//
//	names.go       every name that Temporal or a person in its UI sees
//	task_wire.go   what goes in and out of a run
//	decide.go      the pure decision: what follows the end of an attempt
//	course.go      how a task goes: its state and each step, without any engine
//	task.go        the run of one task on Temporal, from its first attempt to its record
//
// # Changing a workflow
//
// Runs of old code are replayed by new code. A change that makes other commands for the same history needs workflow.GetVersion
// behind a named predicate, or a new deployment version while old runs are pinned to the old one. Kept histories under
// testdata/histories are replayed in every test run and show a breach.
package workflows
