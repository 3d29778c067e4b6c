package sdk

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Validate checks every bound of the request and answers nil or an [Error] of code invalid_input whose Faults name each wrong field.
// The client and the API both call it.
func (r AgentRequest) Validate() error {
	var f faults
	f.optionalID("$.id", r.ID)
	f.agentName(r.Name)
	if r.Role == "" {
		f.add("$.role", "is required")
	}
	f.role("$.role", r.Role)
	f.capabilities(r.Capabilities)
	f.metadata(r.Metadata)
	if r.Slots < 0 || r.Slots > MaxAgentSlots {
		f.add("$.slots", "must be from 1 to %d", MaxAgentSlots)
	}
	return f.err()
}

func (f *faults) agentName(s string) {
	switch {
	case strings.TrimSpace(s) == "":
		f.add("$.name", "is required")
	case !utf8.ValidString(s):
		f.add("$.name", "is not valid UTF-8")
	case utf8.RuneCountInString(s) > MaxAgentName:
		f.add("$.name", "has more than %d characters", MaxAgentName)
	case strings.ContainsFunc(s, unicode.IsControl):
		f.add("$.name", "must be one line without control characters")
	}
}

// Validate checks the heartbeat as [AgentRequest.Validate] checks a registration.
func (h AgentHeartbeat) Validate() error {
	var f faults
	f.agentStatus("$.status", h.Status)
	if len(h.CurrentTasks) > MaxCurrentTasks {
		f.add("$.currentTasks", "has more than %d entries", MaxCurrentTasks)
	} else {
		for i, id := range h.CurrentTasks {
			if !ValidID(id) {
				f.add(fmt.Sprintf("$.currentTasks[%d]", i), "must be the id of a task")
			}
		}
	}
	f.metadata(h.Metadata)
	return f.err()
}

func (f *faults) agentStatus(path string, s AgentStatus) {
	switch s {
	case "", AgentIdle, AgentBusy, AgentOffline:
	default:
		f.add(path, "must be idle, busy or offline")
	}
}

// Validate checks the filter and answers nil or an [Error] of code invalid_input whose Faults name each wrong field as the API's
// parameter. The client and the API both call it.
func (a AgentFilter) Validate() error {
	var f faults
	f.role("query.role", a.Role)
	f.text("query.capability", a.Capability, MaxCapability)
	f.agentStatus("query.status", a.Status)
	if a.Limit < 0 || a.Limit > MaxPage {
		f.add("query.limit", "must be a whole number from 1 to %d", MaxPage)
	}
	return f.err()
}
