package dev

import (
	"context"
	"strconv"
	"strings"

	"go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// Worker is a role worker to start: rolecall worker.
type Worker struct {
	Name    string     // unique within the stack. Default worker-<first role>.
	Roles   []sdk.Role // at least one
	Agent   string     // the adapter. Default "command".
	Command []string   // what stands after --: the program that does the work and its arguments, or further arguments of the adapter's
	Slots   int        // tasks at a time; 0 leaves it to rolecall worker
	Flags   []string   // further flags of rolecall worker
	Env     []string   // KEY=value
	// TemporalAddr is where the worker connects: the address of a [Proxy], to cut it off. Default Temporal's own.
	TemporalAddr string
	// Project is the project it serves. Default "default".
	Project string
}

// StartWorker starts a role worker and returns when it asks for work.
func (s *Stack) StartWorker(ctx context.Context, w Worker) (*Process, error) {
	path, err := Build(ctx, Rolecall)
	if err != nil {
		return nil, err
	}
	if w.Project == "" {
		w.Project = "default"
	}
	roles := make([]string, len(w.Roles))
	for i, r := range w.Roles {
		roles[i] = string(r)
	}
	if w.Name == "" {
		w.Name = "worker-" + strings.Join(roles, "-")
	}
	if w.Agent == "" {
		w.Agent = "command"
	}
	ready := s.readyFile(w.Name)
	args := []string{"worker", "--role", strings.Join(roles, ","), "--agent", w.Agent, "--ready-file", string(ready)}
	if w.Slots > 0 {
		args = append(args, "--slots", strconv.Itoa(w.Slots))
	}
	args = append(args, w.Flags...)
	if len(w.Command) > 0 {
		args = append(append(args, "--"), w.Command...)
	}
	env := append([]string{"PROJECT_ID=" + w.Project}, w.Env...)
	if w.TemporalAddr != "" {
		env = append(env, "TEMPORAL_ADDRESS="+w.TemporalAddr)
	}
	return s.Start(ctx, Command{
		Name: w.Name, Path: path, Args: args, Env: env,
		Ready: func(ctx context.Context, run Run) error {
			if err := ready.check(run); err != nil {
				return err
			}
			// The file tells that this agent was seen polling; after a restart that could have been the one before it.
			for _, role := range w.Roles {
				if err := Polled(ctx, s.temporal, workflows.RoleQueue(w.Project, role), enums.TASK_QUEUE_TYPE_ACTIVITY, run.Started); err != nil {
					return err
				}
			}
			return nil
		},
	})
}
