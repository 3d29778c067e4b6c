package events

import "fmt"

// Level is a way to the same log.
type Level string

// The levels. What is written is the same event, and on disk before it is acknowledged, at each.
const (
	Raw  Level = "E0" // a NATS client on JetStream: each message alone, many of them without waiting for one another
	Log  Level = "E1" // the package eventlog, as the API uses it
	HTTP Level = "E2" // POST /v1/events, and GET /v1/events/stream
)

// Levels are all of them; the first is the reference.
func Levels() []Level { return []Level{Raw, Log, HTTP} }

func (l Level) String() string {
	switch l {
	case Raw:
		return "E0 raw JetStream"
	case Log:
		return "E1 package eventlog"
	case HTTP:
		return "E2 HTTP API"
	default:
		return fmt.Sprintf("level %q", string(l))
	}
}
