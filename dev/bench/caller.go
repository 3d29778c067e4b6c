package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// Call is a block as its caller process is told it.
type Call struct {
	Level   Level
	Callers int
	WarmUp  time.Duration
	Block   time.Duration
	// Temporal says where the first two levels start their runs, Service where the API of the last one is.
	Temporal client.Options
	Service  sdk.Config
}

// Called is what a caller process measured.
type Called struct {
	Latencies []time.Duration `json:"latenciesNs"` // of what ended inside the block, or, when that was nothing, of what ended next
	Finished  int             `json:"finished"`    // warm-up and end included
	Block     time.Duration   `json:"blockNs"`     // longer than it was to be when nothing ended inside
	CPU       time.Duration   `json:"cpuNs"`       // of the process, as a whole
	Runs      []string        `json:"runs"`        // workflow ids of some of what ended
}

// keptRuns is how many workflow ids a caller process hands back.
const keptRuns = 20

// callWait bounds one call, and so the end of a block.
const callWait = 2 * time.Minute

// once has the work done once and answers the id of its workflow.
type once func(ctx context.Context) (workflowID string, err error)

// Run calls until the block is over and what was begun has ended. The first error ends it.
func (c Call) Run(ctx context.Context) (Called, error) {
	do, end, err := c.connect(ctx)
	if err != nil {
		return Called{}, err
	}
	defer end()
	called, err := c.drive(ctx, do)
	called.CPU = OwnCPU()
	return called, err
}

// drive has every caller begin its next task when the last has ended, until the block is over.
func (c Call) drive(ctx context.Context, do once) (Called, error) {
	begin := time.Now().Add(c.WarmUp)
	over := begin.Add(c.Block)
	var mu sync.Mutex
	called := Called{Block: c.Block}
	err := Together(c.Callers, over, func() error {
		began := time.Now()
		id, err := do(ctx)
		ended := time.Now()
		mu.Lock()
		defer mu.Unlock()
		called.add(id, ended.Sub(began), ended.Sub(begin))
		return err
	})
	return called, err
}

// add takes a task that ended so long after the block began. One that ended after the block counts only if nothing did inside: however
// slow a machine is, a block counts one task.
func (c *Called) add(id string, took, into time.Duration) {
	c.Finished++
	if into < 0 || into >= c.Block && len(c.Latencies) > 0 {
		return
	}
	c.Block = max(c.Block, into)
	c.Latencies = append(c.Latencies, took)
	if len(c.Runs) < keptRuns {
		c.Runs = append(c.Runs, id)
	}
}

// connect makes the one client that all callers of the process share.
func (c Call) connect(ctx context.Context) (do once, end func(), err error) {
	if c.Level == API {
		c.Service.ProjectID = project
		api, err := sdk.NewClient(c.Service)
		return overHTTP(api), func() {}, err
	}
	t, err := client.DialContext(ctx, c.Temporal)
	if err != nil {
		return nil, nil, err
	}
	do = bare(t)
	if c.Level == TaskRun {
		do = taskRun(t)
	}
	return do, t.Close, nil
}

func bare(t client.Client) once {
	return bounded(func(ctx context.Context) (string, error) {
		opts := client.StartWorkflowOptions{ID: "bare:" + rand.Text(), TaskQueue: bareWorkflowQueue}
		run, err := t.ExecuteWorkflow(ctx, opts, bareWorkflow, Work{Say: "hello"})
		if err != nil {
			return "", err
		}
		var done Done
		if err := run.Get(ctx, &done); err != nil {
			return "", err
		}
		if !done.OK {
			return "", fmt.Errorf("the bare run %s answered %+v", run.GetID(), done)
		}
		return run.GetID(), nil
	})
}

func taskRun(t client.Client) once {
	return bounded(func(ctx context.Context) (string, error) {
		in, opts := runOf(request())
		run, err := t.ExecuteWorkflow(ctx, opts, workflows.TaskWorkflow, in)
		if err != nil {
			return "", err
		}
		var task sdk.Task
		if err := run.Get(ctx, &task); err != nil {
			return "", err
		}
		return run.GetID(), completed(&task)
	})
}

func overHTTP(api *sdk.Client) once {
	return bounded(func(ctx context.Context) (string, error) {
		task, err := api.CreateTask(ctx, request())
		if err != nil {
			return "", err
		}
		id := workflows.TaskWorkflowID(project, task.ID)
		if task, err = api.WaitForTask(ctx, task.ID); err != nil {
			return "", err
		}
		return id, completed(task)
	})
}

func completed(t *sdk.Task) error {
	var done Done
	if t.Status != sdk.StatusCompleted || t.Result == nil || json.Unmarshal(t.Result.Output, &done) != nil || !done.OK {
		return errors.Join(fmt.Errorf("the task %s is %s, not completed with the answer that was agreed", t.ID, t.Status), t.Err())
	}
	return nil
}

func bounded(do once) once {
	return func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, callWait)
		defer cancel()
		return do(ctx)
	}
}

// OwnCPU is the time this process has used, on all cores.
func OwnCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Write keeps what was measured for the process that asked for it.
func (c Called) Write(file string) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(file, raw, 0o600)
}

func readCalled(file string) (c Called, err error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(raw, &c)
}
