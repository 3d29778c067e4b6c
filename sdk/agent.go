package sdk

import (
	"strings"
	"time"
)

// AgentStatus is what an agent is doing.
type AgentStatus string

// The agent statuses. An agent that has missed three heartbeats is offline.
const (
	AgentIdle    AgentStatus = "idle"
	AgentBusy    AgentStatus = "busy"
	AgentOffline AgentStatus = "offline"
)

// The bounds of agents. Sizes are bytes unless they say characters.
const (
	MaxAgentName    = 200 // characters
	MaxAgentSlots   = 1000
	MaxAgents       = 1000 // registered in a project, those that are offline included
	MaxCurrentTasks = 1000
)

// AgentRequest registers an agent. Name and Role are required. Registering the same id again replaces what was registered before.
type AgentRequest struct {
	ID           string            `json:"id,omitempty" doc:"What tasks address it by, and what it claims them as. Default: a new one."`
	Name         string            `json:"name" doc:"What people call it: one line of at most 200 characters."`
	Role         Role              `json:"role" doc:"The role that it works for."`
	Capabilities []string          `json:"capabilities,omitempty" maxItems:"50" doc:"What it can do, which tasks may ask for."`
	Metadata     map[string]string `json:"metadata,omitempty"`
	Slots        int               `json:"slots,omitempty" doc:"How many tasks it has at once at most, 1 to 1000. Default 1."`
	Addressable  bool              `json:"addressable,omitempty" doc:"Tasks may ask for this very agent."`
}

// Agent is an agent as the registry has it: what it said of itself, whether it is there, and whether it asks for work.
type Agent struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Role         Role              `json:"role"`
	Capabilities []string          `json:"capabilities"`
	Slots        int               `json:"slots"`
	Addressable  bool              `json:"addressable"`
	Status       AgentStatus       `json:"status" enum:"idle,busy,offline" doc:"As it said with its last heartbeat; offline once it has missed three."`
	CurrentTasks []string          `json:"currentTasks" doc:"The ids of the tasks that it works on, as it said with its last heartbeat: the first 100 of them, or the first 4 KiB, less in a project of many agents."`
	Metadata     map[string]string `json:"metadata"`
	RegisteredAt time.Time         `json:"registeredAt"`
	LastSeenAt   time.Time         `json:"lastSeenAt" doc:"Its last heartbeat, or its registration."`
	// Polling is what is seen of it, apart from what it says: one that is neither polling nor busy gets no task.
	Polling bool `json:"polling" doc:"It asked its role's queue for work within the last 90 s. One whose slots are all taken does not ask."`
	// PollingUnknown keeps "does not ask" and "nobody could look" apart.
	PollingUnknown      bool  `json:"pollingUnknown,omitempty" doc:"The queue could not be looked at: polling says nothing."`
	HeartbeatIntervalMs int64 `json:"heartbeatIntervalMs" doc:"How often it is to say that it is there."`
}

// MetadataRoles is the key of the metadata under which an agent that works for several roles names them all, comma-separated.
const MetadataRoles = "roles"

// Serves reports whether the agent works for a role: the one that it is registered for, or one that its metadata names.
func (a Agent) Serves(role Role) bool {
	if role == a.Role {
		return true
	}
	for name := range strings.SplitSeq(a.Metadata[MetadataRoles], ",") {
		if role != "" && strings.TrimSpace(name) == string(role) {
			return true
		}
	}
	return false
}

// AgentHeartbeat is what an agent says of itself from time to time. What is left out stays as it was; only an agent that was offline becomes
// idle, or busy with the tasks it had.
type AgentHeartbeat struct {
	Status       AgentStatus       `json:"status,omitempty" doc:"idle, busy, or offline for one that is about to stop. Default: busy with currentTasks, idle with none of them."`
	CurrentTasks []string          `json:"currentTasks,omitempty" maxItems:"1000" doc:"The ids of the tasks that it works on."`
	Metadata     map[string]string `json:"metadata,omitempty" doc:"Replaces what was registered."`
}

// AgentPage is one page of a list of agents, by id.
type AgentPage struct {
	Items      []Agent `json:"items"`
	NextCursor string  `json:"nextCursor,omitempty" doc:"Where the next page begins; not there on the last one."`
}

// AgentFilter chooses agents; what is left out chooses all. Several fields choose what meets all of them.
type AgentFilter struct {
	Role       Role
	Capability string
	Status     AgentStatus
	Limit      int // agents of one page, 1 to [MaxPage]; 0 is [DefaultPage]. It is no part of what is chosen
}

// RoleAgents counts the registered agents of a role by status.
type RoleAgents struct {
	Idle    int `json:"idle"`
	Busy    int `json:"busy"`
	Offline int `json:"offline"`
}

// Poller is somebody who asks a role's queue for work.
type Poller struct {
	Identity   string    `json:"identity" doc:"The id of an agent, or whoever asks on behalf of agents."`
	LastSeenAt time.Time `json:"lastSeenAt" doc:"When it last asked."`
}

// RoleState is a role with the agents that are registered for it and what is seen of its queue.
type RoleState struct {
	Role        Role       `json:"role"`
	Description string     `json:"description,omitempty" doc:"Of a built-in role."`
	Agents      RoleAgents `json:"agents" doc:"The registered agents by status."`
	Waiting     int64      `json:"waiting" doc:"About how many tasks wait in the queue, as Temporal sees it."`
	OldestMs    int64      `json:"oldestMs" doc:"For how long the oldest of them has."`
	Pollers     []Poller   `json:"pollers" doc:"Who asked the queue for work within the last 90 s, registered or not."`
	Unknown     bool       `json:"unknown,omitempty" doc:"The queue could not be looked at: waiting, oldestMs and pollers say nothing."`
}

// RoleList is every built-in role, and the others that an agent is registered for or an open task is for.
type RoleList struct {
	Items []RoleState `json:"items"`
}

// AgentRegistered is the data of agent.registered.
type AgentRegistered struct {
	AgentID      string            `json:"agentId"`
	Name         string            `json:"name"`
	Role         Role              `json:"role"`
	Capabilities []string          `json:"capabilities"`
	Slots        int               `json:"slots"`
	Addressable  bool              `json:"addressable"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	Status       AgentStatus       `json:"status" doc:"idle"`
}

// AgentStatusChanged is the data of agent.status_changed.
type AgentStatusChanged struct {
	AgentID    string      `json:"agentId"`
	Role       Role        `json:"role"`
	From       AgentStatus `json:"from"`
	To         AgentStatus `json:"to"`
	Reason     string      `json:"reason" doc:"reported, by the agent itself; heartbeats_missed, three of them; registered, anew; deregistered."`
	LastSeenAt time.Time   `json:"lastSeenAt" doc:"The last that was heard of it before."`
}

// AgentSeen is the data of agent.heartbeat, which reaches followers and is not kept.
type AgentSeen struct {
	AgentID      string      `json:"agentId"`
	Role         Role        `json:"role"`
	Status       AgentStatus `json:"status"`
	CurrentTasks []string    `json:"currentTasks"`
}
