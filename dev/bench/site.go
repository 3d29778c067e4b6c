package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/workflows"
)

// Part is a process of a run beside Temporal and the callers.
type Part string

// The parts. The first two are the bare level's, the API is needed by the last level only.
const (
	PartBareWorkflows  Part = "bare-workflows"
	PartBareActivities Part = "bare-activities"
	PartControl        Part = "control"
	PartRole           Part = "role"
	PartAPI            Part = "api"
)

// parts are the processes that a level uses, Temporal and the caller excepted.
func (l Level) parts() []Part {
	switch l {
	case Bare:
		return []Part{PartBareWorkflows, PartBareActivities}
	case TaskRun:
		return []Part{PartControl, PartRole}
	default:
		return []Part{PartControl, PartRole, PartAPI}
	}
}

// Site is a stack with the processes of every level. All of them run all the time, so that no level is measured on a machine that
// has less to do.
type Site struct {
	stack   *dev.Stack
	program string // rolecall-bench
	set     Settings
	parts   map[Part]*dev.Process
	blocks  int
}

// Open starts a site with the settings' slots. address says where each part finds Temporal, which listens at the given address; nil
// is there. Close it.
func Open(ctx context.Context, o dev.Options, set Settings, address func(part Part, temporal string) (string, error)) (_ *Site, err error) {
	program, err := dev.Build(ctx, dev.RolecallBench)
	if err != nil {
		return nil, err
	}
	o.NoAPI, o.NoControl = true, true
	stack, err := dev.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &Site{stack: stack, program: program, set: set.WithDefaults(), parts: map[Part]*dev.Process{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, p := range []Part{PartBareWorkflows, PartBareActivities, PartControl, PartRole, PartAPI} {
		at := stack.TemporalAddr()
		if address != nil {
			if at, err = address(p, at); err != nil {
				return nil, err
			}
		}
		if err := s.start(ctx, p, at); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Close ends every process.
func (s *Site) Close() error { return s.stack.Close() }

// start starts a part and returns when it can be used.
func (s *Site) start(ctx context.Context, p Part, temporal string) (err error) {
	rolecall, err := dev.Build(ctx, dev.Rolecall)
	if err != nil {
		return err
	}
	polled := func(queue string, kind enumspb.TaskQueueType) func(context.Context, dev.Run) error {
		return func(ctx context.Context, run dev.Run) error {
			return dev.Polled(ctx, s.stack.Temporal(), queue, kind, run.Started)
		}
	}
	own := []string{"-part", string(p), "-slots", strconv.Itoa(s.set.Slots), "-acknowledge=" + strconv.FormatBool(s.set.Acknowledge)}
	c := dev.Command{Name: string(p), Path: s.program, Args: own, Env: []string{"TEMPORAL_ADDRESS=" + temporal, "ROLECALL_LOG_LEVEL=warn"}}
	switch p {
	case PartBareWorkflows:
		c.Ready = polled(bareWorkflowQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	case PartBareActivities:
		c.Ready = polled(bareActivityQueue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	case PartControl:
		c.Path, c.Args = rolecall, []string{"serve", "--control"}
		c.Ready = polled(workflows.ControlQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	case PartRole:
		c.Ready = polled(workflows.RoleQueue(project, role), enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	case PartAPI:
		c.Path, c.Args = rolecall, []string{"serve", "--api"}
		c.Ready = func(ctx context.Context, _ dev.Run) error { return dev.AnswersOK(ctx, s.stack.URL()+"/readyz") }
	default:
		return fmt.Errorf("bench: no part %q", p)
	}
	s.parts[p], err = s.stack.Start(ctx, c)
	return err
}

// call runs a block in a caller process of its own, which finds Temporal at the given address.
func (s *Site) call(ctx context.Context, c Call, temporal string) (Called, error) {
	s.blocks++
	name := fmt.Sprintf("caller-%d", s.blocks)
	file := filepath.Join(s.stack.Dir(), name+".json")
	p, err := s.stack.Start(ctx, dev.Command{
		Name: name, Path: s.program, Env: []string{"TEMPORAL_ADDRESS=" + temporal},
		Args: []string{
			"-call", string(c.Level), "-callers", strconv.Itoa(c.Callers), "-block", c.Block.String(), "-warmup", c.WarmUp.String(), "-into", file,
		},
	})
	if err != nil {
		return Called{}, err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		return Called{}, errors.Join(context.Cause(ctx), p.Kill())
	case <-time.After(c.WarmUp + c.Block + callWait + 10*time.Second):
		return Called{}, errors.Join(fmt.Errorf("bench: the callers of %s do not end", c.Level), p.Kill())
	}
	called, err := readCalled(file)
	if err != nil {
		return called, fmt.Errorf("bench: the callers of %s: %w\n%s", c.Level, err, p.LogTail(20))
	}
	return called, nil
}

// Temporal is a client of the site's server.
func (s *Site) Temporal() client.Client { return s.stack.Temporal() }
