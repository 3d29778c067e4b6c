// Package bench measures what a task costs beside the bare engine, on one machine and in one run, at three levels: a bare workflow
// with one activity, the same work as a Task started with the Temporal client, and as a task of the HTTP API. At every level
// workflows, handler and caller are in processes of their own. docs/performance.md says how to read what comes out.
//
//	level.go     the levels
//	settings.go  what a run is: levels, callers, rounds, the length of a block
//	site.go      the processes of a run
//	bare.go      the bare workflow and its workers
//	role.go      the role worker, and the request of the other two levels
//	caller.go    the process that calls
//	run.go       blocks, interleaved
//	rest.go      the time between them
//	figures.go   medians, percentiles and ratios
//	count.go     what one task costs in history events, bytes and calls, through a proxy that counts
package bench
