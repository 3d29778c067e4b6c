package registry

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// record is an agent as the bucket of agents has it.
type record struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Role         sdk.Role          `json:"role"`
	Capabilities []string          `json:"capabilities,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	Slots        int               `json:"slots"`
	Addressable  bool              `json:"addressable,omitempty"`

	Organization string    `json:"organization"`
	IntervalMs   int64     `json:"intervalMs"`
	RegisteredAt time.Time `json:"registeredAt"`
	Registered   int       `json:"registered"` // the number of the event of that

	Status     sdk.AgentStatus `json:"status"`
	ChangedAt  time.Time       `json:"changedAt"`  // since when the status is that
	LastSeenAt time.Time       `json:"lastSeenAt"` // when the record was written; the heartbeat can be newer

	Told   int         `json:"told"`             // the number of the last event that the log has acknowledged
	Untold []sdk.Event `json:"untold,omitempty"` // the events after it
}

// The bounds of what is kept of the tasks that a heartbeat names: heartbeats are in memory, a thousand of a project. Those of one project
// share projectTaskBytes.
const (
	keptTasks        = 100
	keptTaskBytes    = 4 << 10
	leastTaskBytes   = 512
	projectTaskBytes = 1 << 20
)

// taskBytes is how many bytes of task ids are kept of each heartbeat of a project with so many agents.
func taskBytes(agents int) int {
	return min(max(projectTaskBytes/max(agents, 1), leastTaskBytes), keptTaskBytes)
}

// beat is the last heartbeat of an agent.
type beat struct {
	At    time.Time `json:"at"`
	Of    int       `json:"of"`              // the registration that it belongs to: what was said under the one before it is none of this one's
	Tasks []string  `json:"tasks,omitempty"` // the first of them
	Count int       `json:"count,omitempty"` // all of them
}

// take enters the tasks that an agent says it works on; what is beyond so many bytes is only counted.
func (b *beat) take(tasks []string, most int) {
	b.Count, b.Tasks = len(tasks), nil
	bytes := 0
	for _, id := range tasks {
		if bytes += idBytes(id); len(b.Tasks) == keptTasks || bytes > most {
			break
		}
		b.Tasks = append(b.Tasks, id)
	}
}

// idBytes is what an id takes in a heartbeat.
func idBytes(id string) int { return len(id) + len(`"",`) }

// tasks is a heartbeat without the tasks of another registration.
func (r *record) tasks(b beat) beat {
	if b.Of != r.Registered {
		b.Tasks, b.Count = nil, 0
	}
	return b
}

// poll says when an agent last asked for work over HTTP.
type poll struct {
	At time.Time `json:"at"`
}

const (
	beatWord = "beat"
	pollWord = "poll"
	dot      = "."
)

// agentKey is an agent's key in the bucket of agents.
func agentKey(project, id string) string { return project + dot + id }

// aliveKey is the key of what is known of an agent's life: of its heartbeat, or of its asking for work.
func aliveKey(project, id, what string) string { return project + dot + id + dot + what }

// parseKey is the project and the agent of a key; neither has a dot in it.
func parseKey(key string) (project, id, rest string) {
	parts := strings.SplitN(key, dot, 3)
	for len(parts) < 3 {
		parts = append(parts, "")
	}
	return parts[0], parts[1], parts[2]
}

func (r *record) interval() time.Duration { return time.Duration(r.IntervalMs) * time.Millisecond }

// agent is the record with what is known of its life, as it goes over the wire. Nothing in it is shared.
func (r *record) agent(b beat, p poll, now time.Time) sdk.Agent {
	a := sdk.Agent{
		ID: r.ID, Name: r.Name, Role: r.Role, Capabilities: append([]string{}, r.Capabilities...), Slots: r.Slots, Addressable: r.Addressable,
		Status: r.Status, CurrentTasks: []string{}, Metadata: maps.Clone(r.Metadata), RegisteredAt: r.RegisteredAt, LastSeenAt: r.LastSeenAt,
		HeartbeatIntervalMs: r.IntervalMs,
	}
	if a.Metadata == nil {
		a.Metadata = map[string]string{}
	}
	if b.At.After(a.LastSeenAt) {
		a.LastSeenAt = b.At
	}
	if r.Status != sdk.AgentOffline {
		a.CurrentTasks = append(a.CurrentTasks, r.tasks(b).Tasks...)
		a.Polling = !p.At.IsZero() && now.Sub(p.At) <= freshPoll
	}
	return a
}

// capable reports whether the agent has all of the capabilities.
func (r *record) capable(capabilities []string) bool {
	for _, c := range capabilities {
		if !slices.Contains(r.Capabilities, c) {
			return false
		}
	}
	return true
}

// read decodes a value of ours; what is not one is as if it were not there.
func read[T any](value []byte) (v T) {
	if len(value) > 0 && json.Unmarshal(value, &v) != nil {
		var none T
		return none
	}
	return v
}
