// Package registry keeps which agents there are, what each says of itself, and whether it is still there.
//
// # What is kept
//
// There are two buckets in the event log's NATS. rolecall_agents has a record of each agent, by project and id: what it registered, its
// status, and what the log is still to be told of it. It is on disk. rolecall_alive has the last heartbeat of each, and when it last asked
// for work over HTTP. It is in memory and forgets by itself.
//
// What one project may take of either is bounded. Should many of them fill the second one all the same, a heartbeat that finds no room goes into
// the agent's record: that costs more, and nobody is taken for offline because of others.
//
// # Being offline
//
// Every server looks at both buckets again and again ([Registry.Run]). It takes an agent for offline when it has itself seen no new sign of
// life of it for three of its heartbeat intervals, by its own clock and without a gap: whoever could not look for a while, because it was
// started, stood still or the buckets were away, begins to count anew. So a restart makes nobody offline, nor do clocks that differ.
//
// Whoever notices first writes it into the record, on the condition that the record is still the one it saw. That is the decision, and there
// is one. The event of it stands in the same record until the log has acknowledged it, with its number in the agent's story; the log takes
// each number once. So it is in the log exactly once, also when the server that noticed dies in between and another one tells it.
package registry
