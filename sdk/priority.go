package sdk

// Priority orders what waits for a role: a high task overtakes a waiting backlog of lower ones. It stops nothing that runs.
type Priority string

// The priorities, lowest first. The zero value means [PriorityMedium].
const (
	PriorityLow      Priority = "low"
	PriorityMedium   Priority = "medium"
	PriorityHigh     Priority = "high"
	PriorityCritical Priority = "critical"
)

// Canonical resolves the aliases (normal is medium, urgent is critical, empty is medium); ok is false for an unknown word.
func (p Priority) Canonical() (canonical Priority, ok bool) {
	switch p {
	case "", "normal", PriorityMedium:
		return PriorityMedium, true
	case "urgent", PriorityCritical:
		return PriorityCritical, true
	case PriorityLow, PriorityHigh:
		return p, true
	default:
		return p, false
	}
}
