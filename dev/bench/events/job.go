package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Job is what a process of a run is told to do: one thing.
type Job struct {
	Publish *Publish `json:"publish,omitempty"`
	Deliver *Deliver `json:"deliver,omitempty"`
	Follow  *Follow  `json:"follow,omitempty"`
	Replay  *Replay  `json:"replay,omitempty"`
	// Into is the file that gets what was measured.
	Into string `json:"into"`
}

// Places say where things are.
type Places struct {
	API  string `json:"api"`  // such as http://127.0.0.1:3009
	NATS string `json:"nats"` // such as nats://127.0.0.1:4222
}

// ReadJob reads what the process that was started is to do.
func ReadJob(file string) (j Job, err error) { return j, readFile(file, &j) }

// Run does it. The first error ends it.
func (j Job) Run(ctx context.Context) error {
	var done any
	var err error
	switch {
	case j.Publish != nil:
		done, err = j.Publish.run(ctx)
	case j.Deliver != nil:
		done, err = j.Deliver.run(ctx)
	case j.Follow != nil:
		done, err = j.Follow.run(ctx)
	case j.Replay != nil:
		done, err = j.Replay.run(ctx)
	default:
		return errors.New("the job says nothing")
	}
	if err != nil {
		return err
	}
	return writeFile(j.Into, done)
}

func readFile(file string, into any) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// writeFile lets a reader see the whole content or no file.
func writeFile(file string, content any) error {
	raw, err := json.Marshal(content)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".part", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}
