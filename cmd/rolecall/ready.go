package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
)

// readiness is what a program that started this one reads in --ready-file, or with --json on standard output.
type readiness struct {
	APIURL  string   `json:"apiUrl,omitempty"`
	Control bool     `json:"control,omitempty"`
	AgentID string   `json:"agentId,omitempty"`
	Roles   []string `json:"roles,omitempty"`
	PID     int      `json:"pid"`
	// MetricsURL is where this process serves its metrics, if it does.
	MetricsURL string `json:"metricsUrl,omitempty"`
}

// announcer tells whoever waits for this process. It is used by one goroutine after another.
type announcer struct {
	*console
	file string
}

func (a *announcer) wanted() bool { return a.file != "" || a.json }

// announce writes the file as a whole, so that a reader sees all of it or none.
func (a *announcer) announce(r readiness) error {
	r.PID = os.Getpid()
	if a.json {
		if err := a.printLine(r); err != nil {
			return err
		}
	}
	if a.file == "" {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := replaceFile(a.file, append(line, '\n')); err != nil {
		return fmt.Errorf("--ready-file: %w", err)
	}
	return nil
}

func replaceFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".ready-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// polled waits until Temporal has seen this process ask each queue for work; it answers the context's error when that ends first.
func polled(ctx context.Context, opts client.Options, identity string, kind enumspb.TaskQueueType, queues ...string) error {
	c, err := client.NewLazyClient(opts)
	if err != nil {
		return err
	}
	defer c.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		queues = slices.DeleteFunc(queues, func(queue string) bool { return polls(ctx, c, identity, kind, queue) })
		if len(queues) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// polls reports whether the process of that identity polls the queue; while Temporal is away it does not.
func polls(ctx context.Context, c client.Client, identity string, kind enumspb.TaskQueueType, queue string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	got, err := c.DescribeTaskQueue(ctx, queue, kind)
	if err != nil {
		return false
	}
	for _, p := range got.GetPollers() {
		if p.GetIdentity() == identity {
			return true
		}
	}
	return false
}
