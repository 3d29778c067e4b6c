package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// Caller is the process that calls, where counts are by process.
const Caller Part = "caller"

// Counts are what one task of a level costs, whatever the machine: the median over tasks that were done one at a time.
type Counts struct {
	Level Level `json:"level"`
	// Events and HistoryBytes are the length and size of the run's history.
	Events       int `json:"events"`
	HistoryBytes int `json:"historyBytes"`
	// Calls to Temporal by process and method; a poll counts when it brings a task.
	Calls map[Part]map[string]int `json:"calls"`
	// CallBytes are the messages of those calls, requests and answers together, by process.
	CallBytes map[Part]int `json:"callBytes"`
}

// AllCalls is the number of calls to Temporal over all processes.
func (c Counts) AllCalls() int {
	n := 0
	for _, methods := range c.Calls {
		for _, times := range methods {
			n += times
		}
	}
	return n
}

// AllBytes are the bytes of all calls to Temporal.
func (c Counts) AllBytes() int {
	n := 0
	for _, bytes := range c.CallBytes {
		n += bytes
	}
	return n
}

// warmUpTasks are done before any is counted: the first ones make connections and fill caches.
const warmUpTasks = 5

// CountTasks starts a site of its own, in which every process reaches Temporal through a proxy that counts, and does tasks of each
// level in it, as many as the settings say, one at a time. Nothing is timed.
func CountTasks(ctx context.Context, o dev.Options, set Settings) (_ []Counts, err error) {
	set = set.WithDefaults()
	proxies := map[Part]*CountingProxy{}
	defer func() {
		for _, p := range proxies {
			err = errors.Join(err, p.Close())
		}
	}()
	through := func(part Part, temporal string) (string, error) {
		p, err := NewCountingProxy(temporal)
		if err != nil {
			return "", err
		}
		proxies[part] = p
		return p.Addr(), nil
	}
	s, err := Open(ctx, o, set, through)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	at, err := through(Caller, s.stack.TemporalAddr())
	if err != nil {
		return nil, err
	}
	var all []Counts
	for _, level := range set.Levels {
		c, err := s.count(ctx, Call{
			Level: level, Temporal: client.Options{HostPort: at}, Service: sdk.Config{URL: s.stack.URL()},
		}, proxies, set.Counted)
		if err != nil {
			return nil, fmt.Errorf("bench: count %s: %w", level, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// count does tasks of one level, with the callers in this process: who calls is told apart by the proxies.
func (s *Site) count(ctx context.Context, c Call, proxies map[Part]*CountingProxy, tasks int) (Counts, error) {
	do, end, err := c.connect(ctx)
	if err != nil {
		return Counts{}, err
	}
	defer end()
	parts := append(c.Level.parts(), Caller)
	var seen []oneTask
	for i := range warmUpTasks + tasks {
		for _, part := range parts {
			proxies[part].Taken()
		}
		id, err := do(ctx)
		if err != nil {
			return Counts{}, err
		}
		if i < warmUpTasks {
			continue
		}
		one := oneTask{calls: map[Part]Calls{}}
		for _, part := range parts {
			one.calls[part] = proxies[part].Taken()
		}
		if one.events, one.historyBytes, err = s.history(ctx, id); err != nil {
			return Counts{}, err
		}
		seen = append(seen, one)
	}
	return medianOf(c.Level, seen), nil
}

// oneTask is what was counted for one task.
type oneTask struct {
	events, historyBytes int
	calls                map[Part]Calls
}

func (s *Site) history(ctx context.Context, workflowID string) (events, bytes int, err error) {
	got, err := s.stack.Temporal().DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return 0, 0, err
	}
	info := got.GetWorkflowExecutionInfo()
	return int(info.GetHistoryLength()), int(info.GetHistorySizeBytes()), nil
}

func medianOf(level Level, seen []oneTask) Counts {
	c := Counts{Level: level, Calls: map[Part]map[string]int{}, CallBytes: map[Part]int{}}
	over := func(of func(oneTask) int) int {
		values := make([]int, len(seen))
		for i, one := range seen {
			values[i] = of(one)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	c.Events = over(func(o oneTask) int { return o.events })
	c.HistoryBytes = over(func(o oneTask) int { return o.historyBytes })
	methods := map[Part]map[string]bool{}
	for _, one := range seen {
		for part, calls := range one.calls {
			if methods[part] == nil {
				methods[part] = map[string]bool{}
			}
			for method := range calls.Methods {
				methods[part][method] = true
			}
		}
	}
	for part, names := range methods {
		c.Calls[part] = map[string]int{}
		for name := range maps.Keys(names) {
			if n := over(func(o oneTask) int { return o.calls[part].Methods[name] }); n > 0 {
				c.Calls[part][name] = n
			}
		}
		c.CallBytes[part] = over(func(o oneTask) int { return o.calls[part].Bytes })
	}
	return c
}
