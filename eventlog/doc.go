// Package eventlog keeps the events of every project in NATS JetStream: appended, read by pages and followed live. An append is
// acknowledged when it is on disk.
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
// What is followed and not kept goes the same way below rl.<project> instead.
//
// A subject costs the server about 250 bytes of memory for as long as an event of it is kept. That is why types are no part of a
// story's subject: readers look at the type, which stands in a header, and leave out what they did not ask for.
//
// # Writing
//
// Appends to a project that come while another is being written are written together, as one atomic batch with one synchronous
// write to disk. So a lone append costs that write, and many at once share it.
package eventlog
