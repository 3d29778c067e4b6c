// Package eventlog keeps the events of every project in NATS JetStream: appended, read by pages and followed live. An append is
// acknowledged when it is on disk; for an external NATS that holds where its servers have sync_interval: always.
//
// # Layout
//
// Each project has one stream, rolecall-<project>, bounded by age and by bytes; a position in it is an event's sequence. Within it
// each story, a task, session or plan whose workflow writes events, has a subject of its own, so that it can be read without
// reading the others and its end can be compared before more is written:
//
//	rc.<project>.t.<task id>      a task's
//	rc.<project>.s.<session id>   a session's
//	rc.<project>.p.<plan id>      a plan's
//	rc.<project>.a.<agent id>     an agent's
//	rc.<project>.e.<type>         what callers publish
//
// What is followed and not kept goes the same way below rl.<project> instead; the live output of a task goes over ro.<project>.<task id>.
//
// Two streams are shared by all projects: rolecall_dead has the events that no receiver of a subscription acknowledged, and
// rolecall_fences which deliveries of an event were given back or came too late.
//
// JetStream counts the most that each stream may take against what a server has. An embedded server is told of no bound; an external
// one needs room for ROLECALL_EVENT_MAX_BYTES a project, 1 GiB for the dead and 64 MiB for the fences, with each replica.
//
// Beside the events a [Bucket] keeps keys and values in the same NATS.
//
// A subject costs the server about 250 bytes of memory for as long as an event of it is kept. That is why types are no part of a
// story's subject: readers look at the type, which stands in a header, and leave out what they did not ask for.
//
// # Writing
//
// Appends to a project that come while another is being written are written together, as one atomic batch with one synchronous
// write to disk. So a lone append costs that write, and many at once share it.
//
// # Reading
//
// What is kept is read through consumers that acknowledge nothing: JetStream sends nothing to them twice, so a reader that sees a gap
// in their numbers begins again after what it has. Where nothing more comes, the stream's leader is asked whether that is all. A
// reader that retention overtakes is told so, as is one whose position is of a stream that was made anew since.
//
// # Subscriptions
//
// JetStream takes any receiver's acknowledgement of an event for that of the last one that was given it. So a ticket says which
// delivery it is of, and is taken only as long as its time lasts, its subscription is the same, and the fences do not say that the
// event was given back or given to another receiver.
package eventlog
