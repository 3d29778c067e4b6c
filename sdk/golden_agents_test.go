package sdk_test

import "github.com/rolecall-dev/rolecall/sdk"

// agentTypes are what the calls about agents carry and the data of their events, whole and bare.
func agentTypes() map[string]any {
	pairs, capabilities, tasks := map[string]string{"os": "linux"}, []string{"go"}, []string{"t1"}
	agent := sdk.Agent{
		ID: "bob", Name: "Bob", Role: "coder", Capabilities: capabilities, Slots: 2, Addressable: true, Status: "busy", CurrentTasks: tasks, Metadata: pairs,
		RegisteredAt: noon(1), LastSeenAt: noon(2), Polling: true, PollingUnknown: true, HeartbeatIntervalMs: 30_000,
	}
	poller := sdk.Poller{Identity: "bob", LastSeenAt: noon(3)}
	role := sdk.RoleState{
		Role: "coder", Description: "writes and changes code", Agents: sdk.RoleAgents{Idle: 1, Busy: 2, Offline: 3}, Waiting: 4, OldestMs: 5000,
		Pollers: []sdk.Poller{poller}, Unknown: true,
	}
	return map[string]any{
		"agent": agent, "agent_page": sdk.AgentPage{Items: []sdk.Agent{agent}, NextCursor: "c"},
		"agent_request": sdk.AgentRequest{
			ID: "bob", Name: "Bob", Role: "coder", Capabilities: capabilities, Metadata: pairs, Slots: 2, Addressable: true,
		},
		"agent_heartbeat": sdk.AgentHeartbeat{Status: "busy", CurrentTasks: tasks, Metadata: pairs},
		"role_state":      role, "role_list": sdk.RoleList{Items: []sdk.RoleState{role}},
		"event_agent_registered": sdk.AgentRegistered{
			AgentID: "bob", Name: "Bob", Role: "coder", Capabilities: capabilities, Slots: 2, Addressable: true, Metadata: pairs, Status: "idle",
		},
		"event_agent_status_changed": sdk.AgentStatusChanged{AgentID: "bob", Role: "coder", From: "idle", To: "offline", Reason: "heartbeats_missed", LastSeenAt: noon(2)},
		"event_agent_heartbeat":      sdk.AgentSeen{AgentID: "bob", Role: "coder", Status: "busy", CurrentTasks: tasks},

		"bare_agent": sdk.Agent{}, "bare_agent_request": sdk.AgentRequest{Name: "Bob", Role: "coder"},
		"bare_role_state": sdk.RoleState{}, "bare_agent_page": sdk.AgentPage{Items: []sdk.Agent{}},
	}
}
