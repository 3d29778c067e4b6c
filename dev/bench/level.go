package bench

import (
	"fmt"
	"slices"
)

// Level is one way to have the same work done.
type Level string

// The levels, each on top of the one before.
const (
	// Bare is the Temporal Go SDK alone: a workflow with one activity on another queue, started and waited for.
	Bare Level = "L0"
	// TaskRun is the Task workflow and a role worker, started and waited for with the Temporal client.
	TaskRun Level = "L1"
	// API is a task created and waited for with the Go SDK over HTTP.
	API Level = "L2"
)

// Levels are all levels in their order.
func Levels() []Level { return []Level{Bare, TaskRun, API} }

// String is the level with what it is.
func (l Level) String() string {
	return string(l) + " " + map[Level]string{Bare: "bare Temporal SDK", TaskRun: "Task workflow", API: "HTTP API"}[l]
}

func (l Level) check() error {
	if !slices.Contains(Levels(), l) {
		return fmt.Errorf("level %q: must be one of %q", string(l), Levels())
	}
	return nil
}
