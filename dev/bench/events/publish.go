package events

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rolecall-dev/rolecall/dev/bench"
	"github.com/rolecall-dev/rolecall/sdk"
)

// Publish is a block of publishing: each publisher hands over its next events when the last ones are acknowledged.
type Publish struct {
	Places     `json:"places"`
	Level      Level         `json:"level"`
	Publishers int           `json:"publishers"`
	Batch      int           `json:"batch"`
	WarmUp     time.Duration `json:"warmUpNs"`
	Block      time.Duration `json:"blockNs"`
}

// Published is what its process measured.
type Published struct {
	Latencies []time.Duration `json:"latenciesNs"` // of each call that ended inside the block
	Events    int             `json:"events"`      // of these calls
	All       int             `json:"all"`         // events, warm-up and end included
	Block     time.Duration   `json:"blockNs"`     // longer than it was to be when no call ended inside
	CPU       time.Duration   `json:"cpuNs"`       // of the process, as a whole
}

// say is the text of an event, so that it is about as long as those of a task.
const say = "What a program that builds something might say of it, in about as many words as it takes to be understood by people."

func (p Publish) run(ctx context.Context) (Published, error) {
	do, end, err := p.writer(ctx, p.Level, p.Publishers)
	if err != nil {
		return Published{}, err
	}
	defer end()
	got, err := p.drive(ctx, do)
	got.CPU = bench.OwnCPU()
	if err == nil && got.Events == 0 {
		err = errNothing
	}
	return got, err
}

func (p Publish) drive(ctx context.Context, do write) (Published, error) {
	begin := time.Now().Add(p.WarmUp)
	over := begin.Add(p.Block)
	id := numbered(rand.Text())
	var mu sync.Mutex
	got := Published{Block: p.Block}
	err := bench.Together(p.Publishers, over, func() error {
		took, into, err := p.call(ctx, do, id, begin)
		mu.Lock()
		defer mu.Unlock()
		got.add(p.Batch, took, into, p.Block)
		return err
	})
	return got, err
}

// call hands over one batch; took is how long that was, into when it ended, since the block began.
func (p Publish) call(ctx context.Context, do write, id func() string, begin time.Time) (took, into time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	batch := make([]sdk.Event, p.Batch)
	for i := range batch {
		if batch[i], err = anEvent(id(), published, map[string]any{"say": say}); err != nil {
			return 0, 0, err
		}
	}
	began := time.Now()
	err = do(ctx, batch)
	ended := time.Now()
	return ended.Sub(began), ended.Sub(begin), err
}

// add takes a call that ended so long after the block began. One that ended after it counts only if none did inside.
func (p *Published) add(batch int, took, into, block time.Duration) {
	p.All += batch
	if into < 0 || into >= block && len(p.Latencies) > 0 {
		return
	}
	p.Events += batch
	p.Block = max(p.Block, into)
	p.Latencies = append(p.Latencies, took)
}

// numbered answers ids that no other process uses.
func numbered(of string) func() string {
	var n atomic.Int64
	return func() string { return fmt.Sprintf("%s-%d", of, n.Add(1)) }
}
