package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Script is an agent that does as it is told: of each task its first attempt is played by the first of the attempts, the second by the
// second, and so on; the last one plays all that follow. It is an [sdk.Handler] like any other, and also works for a real server. It
// remembers 10,000 tasks; beyond them it forgets the one that it began first.
func Script(attempts ...*AttemptScript) sdk.Handler {
	return &script{attempts: attempts, played: map[string]int{}}
}

// Attempt is what an agent does in one attempt: its steps in their order. Without one that ends it, it completes with no output.
func Attempt() *AttemptScript { return &AttemptScript{} }

// AttemptScript is what an agent does in one attempt; make it with [Attempt].
type AttemptScript struct {
	steps []step
}

// step is one step. Where end is true the attempt is over with result and error.
type step func(ctx context.Context, a *sdk.Assignment, r sdk.Reporter) (result *sdk.Result, end bool, err error)

func (s *AttemptScript) add(next step) *AttemptScript {
	s.steps = append(s.steps, next)
	return s
}

// Do is a step of the test's own; its error, should there be one, is that of the attempt.
func (s *AttemptScript) Do(f func(ctx context.Context, a *sdk.Assignment, r sdk.Reporter) error) *AttemptScript {
	return s.add(func(ctx context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, bool, error) {
		err := f(ctx, a, r)
		return nil, err != nil, err
	})
}

// Progress reports a percentage and a phase. [AttemptScript.Do] reports more.
func (s *AttemptScript) Progress(percentage float64, phase string) *AttemptScript {
	return s.Do(func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) error {
		r.Progress(sdk.Progress{Percentage: percentage, Phase: phase})
		return nil
	})
}

// Resume keeps data, any value that can be written as JSON, for the next attempt.
func (s *AttemptScript) Resume(data any) *AttemptScript {
	return s.Do(func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) error {
		raw, err := json.Marshal(data)
		if err != nil {
			return err
		}
		return r.Resume(raw)
	})
}

// Work works for so long: by the clock of the [Server] that gave the attempt, by the machine's for a real one. An attempt that is to stop
// stops.
func (s *AttemptScript) Work(d time.Duration) *AttemptScript {
	return s.Do(func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) error {
		if a := attemptOf(ctx); a != nil {
			return a.engine.sleep(ctx, d)
		}
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// Until waits until the gate is open, or the attempt is to stop.
func (s *AttemptScript) Until(gate *Gate) *AttemptScript {
	return s.Do(func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) error { return gate.Wait(ctx) })
}

// Ignore waits until the gate is open, whatever the attempt is told meanwhile: an agent that does not stop.
func (s *AttemptScript) Ignore(gate *Gate) *AttemptScript {
	return s.Do(func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) error {
		return gate.wait(ctx, false)
	})
}

// UntilStopped waits until the attempt is to stop, because its task was cancelled, say, and obeys.
func (s *AttemptScript) UntilStopped() *AttemptScript {
	return s.Do(func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) error { return Wait(ctx) })
}

// Complete completes with an output, any value that can be written as JSON.
func (s *AttemptScript) Complete(output any) *AttemptScript {
	return s.add(func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, bool, error) {
		raw, err := json.Marshal(output)
		return &sdk.Result{Output: raw}, true, err
	})
}

// Result completes with a whole result: metrics, quality gate and all.
func (s *AttemptScript) Result(result sdk.Result) *AttemptScript {
	return s.add(func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, bool, error) {
		return &result, true, nil
	})
}

// Fail fails with an error: one of [sdk.Retryable] or [sdk.Final], or any other, which another attempt may mend.
func (s *AttemptScript) Fail(err error) *AttemptScript {
	return s.Do(func(context.Context, *sdk.Assignment, sdk.Reporter) error {
		if err == nil {
			return errors.New("the script fails without an error")
		}
		return err
	})
}

// Ask asks for input; schema is a JSON Schema that the answer must meet, or "". The answer is in the assignment of the next attempt.
func (s *AttemptScript) Ask(prompt, schema string) *AttemptScript {
	var raw json.RawMessage
	if schema != "" {
		raw = json.RawMessage(schema)
	}
	return s.Fail(sdk.AskInput(prompt, raw))
}

// Panic panics.
func (s *AttemptScript) Panic(value any) *AttemptScript {
	return s.Do(func(context.Context, *sdk.Assignment, sdk.Reporter) error {
		panic(value) //nolint:forbidigo // as an agent with a bug would
	})
}

// maxPlayed is how many tasks a script remembers the attempts of.
const maxPlayed = maxTasks

type script struct {
	attempts []*AttemptScript

	mu     sync.Mutex
	played map[string]int // by task
	begun  []string       // the tasks; a ring, oldest at next once it is full
	next   int
}

// Handle implements [sdk.Handler].
func (s *script) Handle(ctx context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
	turn, err := s.turn(a.Task.ID)
	if err != nil {
		return nil, err
	}
	for _, next := range turn.steps {
		if result, end, err := next(ctx, a, r); end {
			if err != nil {
				return nil, err
			}
			return result, nil
		}
	}
	return &sdk.Result{}, nil
}

// turn is what plays the next attempt of a task.
func (s *script) turn(task string) (*AttemptScript, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.attempts) == 0 {
		return nil, sdk.Final("", errors.New("the script has no attempts"))
	}
	n, known := s.played[task]
	if !known {
		s.remember(task)
	}
	s.played[task] = n + 1
	return s.attempts[min(n, len(s.attempts)-1)], nil
}

// remember makes room for a task by forgetting the one that was begun first.
func (s *script) remember(task string) {
	if len(s.begun) < maxPlayed {
		s.begun = append(s.begun, task)
		return
	}
	delete(s.played, s.begun[s.next])
	s.begun[s.next], s.next = task, (s.next+1)%maxPlayed
}
