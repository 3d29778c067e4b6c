package workflows_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestTask_CountsWhatOpenChildrenMayEndWith: once one has ended with much, those that are open are taken to.
func TestTask_CountsWhatOpenChildrenMayEndWith(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{working(time.Hour), completes(`1`)}}
	env, _ := newFamilyOf(t, s, func(ctx workflow.Context, in workflows.TaskInput) (sdk.Task, error) {
		if in.ID == "first" {
			return sdk.Task{Description: strings.Repeat("x", 1<<20)}, nil
		}
		return sdk.Task{}, workflow.Sleep(ctx, 2*time.Hour)
	})
	var codes []sdk.Code
	var next func(id string)
	next = func(id string) {
		d := delegate(t, env, childOf("t1", id, func(in *workflows.DelegateTaskInput) { in.Child.Request.Detached = true }))
		env.RegisterDelayedCallback(func() {
			if codes = append(codes, d.code); d.code == "" && len(codes) < 100 {
				next(fmt.Sprintf("c%d", len(codes)))
			}
		}, time.Second)
	}
	env.RegisterDelayedCallback(func() { next("first") }, time.Minute)
	if _, err := run(t, env, request()); err != nil {
		t.Fatal(err)
	}
	if n := len(codes) - 1; n < 25 || n > 30 || codes[n] != sdk.CodeDelegationLimit {
		t.Errorf("%d children, then %q", n, codes[n])
	}
}

// TestTask_LeavesRoomForItsOwnAttempts: children fill the history of a task, and its next attempt is made none the less.
func TestTask_LeavesRoomForItsOwnAttempts(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{working(time.Hour), completes(`1`)}}
	env, f := newFamily(t, s, nil)
	text := strings.Repeat("\x01", sdk.MaxDescription) // six bytes each, as it is written
	last := &delegation{}
	env.RegisterDelayedCallback(func() {
		for i := range 40 {
			last = delegate(t, env, childOf("t1", fmt.Sprintf("c%d", i), func(in *workflows.DelegateTaskInput) { in.Child.Request.Description = text }))
		}
	}, time.Minute)
	mine := request()
	mine.Input = []byte(`"` + strings.Repeat("x", sdk.MaxInput-2) + `"`)
	task, err := run(t, env, mine)
	if err != nil || task.Status != sdk.StatusCompleted {
		t.Fatalf("it is %s, %v", task.Status, err)
	}
	if n := len(f.started); n < 25 || n > 36 || last.code != sdk.CodeDelegationLimit {
		t.Errorf("started %d, then %q", n, last.code)
	}
}
