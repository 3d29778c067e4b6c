// Package events measures the event log over HTTP beside bare JetStream, on one machine and in one run: publishing, delivery to
// followers over connections of a process of their own, and replay. docs/performance.md says how to read what comes out.
//
//	level.go     the levels
//	settings.go  what a run is: publishers, followers, rounds, the size of the replay
//	site.go      the processes of a run
//	job.go       what a process is told to do, and what it hands back
//	publish.go   the process that publishes as fast as it can
//	write.go     how an event is written at each level
//	deliver.go   the process that publishes at a steady pace, and measures the bare write beside it
//	follow.go    the process of the followers
//	replay.go    the process that reads a log from its beginning
//	stream.go    a stream of server-sent events, as a client reads it
//	fill.go      the log that is replayed
//	run.go       blocks, interleaved
//	figures.go   medians and ratios
//	report.go    the report
package events
