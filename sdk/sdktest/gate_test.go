package sdktest

import (
	"context"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// lookedAt is a handler's context that counts who is at a gate when it is asked whether it has ended: by then the handler counts as waiting.
type lookedAt struct {
	context.Context
	gate *Gate
	at   []int
}

func (l *lookedAt) Err() error {
	l.gate.mu.Lock()
	defer l.gate.mu.Unlock()
	l.at = append(l.at, len(l.gate.waiting))
	return l.Context.Err()
}

// TestWhoeverWaitsAtAGateIsWokenByIt: between the two Open would miss the handler, and the clock would move past its task.
func TestWhoeverWaitsAtAGateIsWokenByIt(t *testing.T) {
	t.Parallel()
	srv := New(t)
	gate := NewGate()
	var at []int
	srv.Agent(sdk.RoleCoder, sdk.HandlerFunc(func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		looked := &lookedAt{Context: ctx, gate: gate}
		err := gate.Wait(looked)
		at = looked.at
		return &sdk.Result{}, err
	}))
	task, err := srv.Client().RequestCode(t.Context(), "behind a gate")
	if err != nil {
		t.Fatal(err)
	}
	srv.Settle()
	gate.Open()
	srv.Clock().Advance(time.Hour)
	if task, err = srv.Client().GetTask(t.Context(), task.ID); err != nil || task.Status != sdk.StatusCompleted || task.Attempt != 1 {
		t.Errorf("%+v, %v", task, err)
	}
	if len(at) == 0 || at[0] != 1 {
		t.Errorf("when the handler counted as waiting there were %v at the gate", at)
	}
}
