package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/dev/internal/poll"
)

// Until repeats a look at the world until it returns nil, at most for the given time. The error holds that of the last look.
func Until(ctx context.Context, atMost time.Duration, look func(context.Context) error) error {
	return poll.Until(ctx, atMost, look)
}

// GiveUp wraps an error that makes [Until] end at once with that error.
func GiveUp(err error) error { return poll.GiveUp(err) }

// Polled returns nil when somebody has asked a task queue for work since the given time.
func Polled(ctx context.Context, c client.Client, queue string, kind enums.TaskQueueType, since time.Time) error {
	got, err := c.DescribeTaskQueue(ctx, queue, kind)
	if err != nil {
		return err
	}
	for _, p := range got.GetPollers() {
		if p.GetLastAccessTime().AsTime().After(since) {
			return nil
		}
	}
	return errors.New("nobody polls the task queue " + queue)
}

// AnswersOK returns nil when an address answers 200.
func AnswersOK(ctx context.Context, url string) error { return poll.OK(ctx, url) }

// readyFile is a file that a process writes when it is ready, with its process id.
type readyFile string

// check returns nil when the file is that of the given run.
func (f readyFile) check(run Run) error {
	content, err := os.ReadFile(string(f))
	if err != nil {
		return err
	}
	var ready struct {
		PID int `json:"pid"`
	}
	if err := json.Unmarshal(content, &ready); err != nil {
		return GiveUp(fmt.Errorf("%s: %w", f, err))
	}
	if ready.PID != run.PID {
		return errors.New("the ready file is that of an earlier run")
	}
	return nil
}

func (s *Stack) readyFile(name string) readyFile {
	return readyFile(filepath.Join(s.dir, name+"-ready.json"))
}

// MetricsURL is where the newest run of a process serves its metrics. The stack gives each of them a free address.
func (p *Process) MetricsURL() (string, error) {
	content, err := os.ReadFile(string(p.stack.readyFile(p.cmd.Name)))
	if err != nil {
		return "", fmt.Errorf("dev: metrics of %s: %w", p.cmd.Name, err)
	}
	var ready struct {
		PID        int    `json:"pid"`
		MetricsURL string `json:"metricsUrl"`
	}
	if err := json.Unmarshal(content, &ready); err != nil {
		return "", fmt.Errorf("dev: metrics of %s: %w", p.cmd.Name, err)
	}
	if ready.PID != p.Pid() || ready.MetricsURL == "" {
		return "", fmt.Errorf("dev: %s has not told where its metrics are", p.cmd.Name)
	}
	return ready.MetricsURL, nil
}
