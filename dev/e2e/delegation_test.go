package e2e_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

var delegating = flag.Int("delegating", 40, "how many parents are cancelled while they delegate")

// under makes a task a child.
func under(parent string) func(*sdk.TaskRequest) {
	return func(r *sdk.TaskRequest) { r.ParentID = parent }
}

func detached(r *sdk.TaskRequest) { r.Detached = true }

// refused hands out a child that is to be refused, and checks the code.
func (s *scene) refusesChild(what, parent string, code sdk.Code) {
	s.t.Helper()
	_, err := s.client.CreateTask(s.t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: what, ParentID: parent})
	if e, ok := errors.AsType[*sdk.Error](err); !ok || e.Code != code {
		s.t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// TestDelegation: a child ends with its parent, a detached one does not; each stands where it was created, and the parent tells of it.
func TestDelegation(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{Slots: 5})
	parent := s.delegate(script{"*": {"touch:parent", "until:go", `result:{"ok":true}`}})
	s.appears("parent")
	done := s.delegate(script{"*": {`result:{"by":"child"}`}}, under(parent.ID))
	if got := s.ended(done.ID); got.Status != sdk.StatusCompleted || got.ParentID != parent.ID || got.RootID != parent.ID {
		t.Errorf("the child is %s, of %q below %q", got.Status, got.ParentID, got.RootID)
	}
	hanging := s.delegate(script{"*": {"child", "pid", "touch:hanging", "hang"}}, under(parent.ID))
	below := s.delegate(script{"*": {"touch:below", "hang"}}, under(hanging.ID))
	outlives := s.delegate(script{"*": {"touch:outlives", "until:end", "result:1"}}, under(hanging.ID), detached)
	s.appears("hanging")
	s.appears("below")
	s.appears("outlives")
	if below.RootID != parent.ID || below.ParentID != hanging.ID {
		t.Errorf("the grandchild is of %q below %q", below.ParentID, below.RootID)
	}
	s.listed("the children", sdk.TaskFilter{ParentID: parent.ID, Status: sdk.StatusOpen}, hanging.ID)
	s.touch("go")
	if got := s.ended(parent.ID); got.Status != sdk.StatusCompleted {
		t.Errorf("the parent is %s", got.Status)
	}
	for what, id := range map[string]string{"the child": hanging.ID, "the grandchild": below.ID} {
		if got := s.ended(id); got.Status != sdk.StatusCancelled || got.CancelConfirmed == nil || !*got.CancelConfirmed {
			t.Errorf("%s is %s, its end confirmed: %v", what, got.Status, got.CancelConfirmed)
		}
	}
	later := s.delegate(script{"*": {"result:2"}}, under(outlives.ID))
	if got := s.ended(later.ID); got.Status != sdk.StatusCompleted || got.RootID != parent.ID {
		t.Errorf("a child below a root that has ended is %s, below %q", got.Status, got.RootID)
	}
	s.touch("end")
	if got := s.ended(outlives.ID); got.Status != sdk.StatusCompleted {
		t.Errorf("the detached child is %s", got.Status)
	}
	s.refusesChild("of one that has ended", parent.ID, sdk.CodeConflict)
	s.refusesChild("of none", "unknown", sdk.CodeNotFound)
	s.toldOfChildren(parent.ID, done.ID, hanging.ID)
	s.toldOfChildren(hanging.ID, below.ID, outlives.ID)
}

// toldOfChildren checks the ai.delegation events of a story.
func (s *scene) toldOfChildren(parent string, children ...string) {
	s.t.Helper()
	var told []string
	for e, err := range s.client.TaskEvents(s.t.Context(), parent) {
		s.do(err)
		if e.Type != sdk.EventAIDelegation {
			continue
		}
		var d sdk.TaskDelegated
		s.do(json.Unmarshal(e.Data, &d))
		if e.Task != parent || d.TaskID != parent || e.Agent != "" && e.Agent != "worker" { // who has it may not be known yet
			s.t.Errorf("told of a child by %s of %s %+v", e.Agent, e.Task, d)
		}
		told = append(told, d.ChildID)
	}
	if fmt.Sprint(told) != fmt.Sprint(children) {
		s.t.Errorf("%s told of %q, want %q", parent, told, children)
	}
}

// TestDelegationIsBounded: five parents above a task, and 200 tasks below a root, whichever of them delegates, also at once, and when the
// root has ended.
func TestDelegationIsBounded(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	chain := []*sdk.Task{s.delegate(nil)}
	for depth := 1; depth <= sdk.MaxDepth; depth++ {
		chain = append(chain, s.delegate(nil, under(chain[depth-1].ID), detached))
	}
	s.refusesChild("too deep", chain[sdk.MaxDepth].ID, sdk.CodeDelegationLimit)
	var wait sync.WaitGroup
	results := make([]error, sdk.MaxDescendants)
	for part := range 4 {
		wait.Go(func() {
			for i := part; i < len(results); i += 4 {
				_, results[i] = s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "one of many", ParentID: chain[part].ID})
			}
		})
	}
	wait.Wait()
	made := 0
	for _, err := range results {
		if err == nil {
			made++
		} else if !errors.Is(err, sdk.ErrDelegationLimit) {
			t.Errorf("refused with %v", err)
		}
	}
	if made != sdk.MaxDescendants-sdk.MaxDepth {
		t.Errorf("%d tasks more below the root, want %d", made, sdk.MaxDescendants-sdk.MaxDepth)
	}
	s.refusesChild("of the root", chain[0].ID, sdk.CodeDelegationLimit)
	s.cancel(chain[0].ID)
	s.ended(chain[0].ID)
	s.eventually("the count of a root that has ended", patience, func() error {
		_, err := s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "one too many", ParentID: chain[1].ID})
		if !errors.Is(err, sdk.ErrDelegationLimit) {
			return fmt.Errorf("not refused: %w", err)
		}
		return nil
	})
	s.cancel(chain[1].ID)
	s.ended(chain[1].ID)
}

// TestDelegationIsRepeated: with the same key a child is one, also when its parent has ended since.
func TestDelegationIsRepeated(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	parent := s.delegate(nil)
	create := func(title string) (*sdk.Task, error) {
		return s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: title, ParentID: parent.ID}, sdk.IdempotencyKey("k"))
	}
	var wait sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		wait.Go(func() {
			task, err := create("the same")
			if err != nil {
				t.Errorf("created at once: %v", err)
				return
			}
			ids[i] = task.ID
		})
	}
	wait.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("one key made %q", ids)
		}
	}
	if _, err := create("another"); !errors.Is(err, sdk.ErrIdempotencyMismatch) {
		t.Errorf("the key with another request: %v", err)
	}
	s.cancel(parent.ID)
	s.wantCancelled(parent.ID, true)
	if got := s.ended(ids[0]); got.Status != sdk.StatusCancelled {
		t.Errorf("the child is %s", got.Status)
	}
	if task, err := create("the same"); err != nil || task.ID != ids[0] {
		t.Errorf("after the end of the parent: %+v %v", task, err)
	}
	s.toldTimes(parent.ID, 1)
}

// toldTimes checks how many children a story tells of.
func (s *scene) toldTimes(parent string, want int) {
	s.t.Helper()
	n := 0
	for e, err := range s.client.TaskEvents(s.t.Context(), parent) {
		if s.do(err); e.Type == sdk.EventAIDelegation {
			n++
		}
	}
	if n != want {
		s.t.Errorf("%s told of %d children, want %d", parent, n, want)
	}
}

// TestAParentIsCancelledWhileItDelegates, at a moment chosen at random: no child is left running, those whose caller heard nothing of them
// included.
func TestAParentIsCancelledWhileItDelegates(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	chosen := newChance(t)
	var wait sync.WaitGroup
	const at = 4 // a time
	for part := range at {
		source := chosen.source(part)
		wait.Go(func() {
			for range *delegating / at {
				s.cancelledWhileItDelegates(source)
			}
		})
	}
	wait.Wait()
	s.eventually("the end of every task", patience, func() error {
		page, err := s.client.ListTasks(t.Context(), sdk.TaskFilter{Status: sdk.StatusOpen}, "")
		if err != nil {
			return err
		}
		if len(page.Items) > 0 {
			return fmt.Errorf("%d tasks are left, such as %+v", len(page.Items), page.Items[0])
		}
		return nil
	})
	s.noRunLeft()
}

// noRunLeft asks Temporal whether it has an open run of the scene's tasks.
func (s *scene) noRunLeft() {
	s.t.Helper()
	all, cancelled := 0, 0
	for task, err := range s.client.Tasks(s.t.Context(), sdk.TaskFilter{}) {
		s.do(err)
		if all++; task.Status == sdk.StatusCancelled {
			cancelled++
		}
		if got := s.run(task.ID).GetWorkflowExecutionInfo().GetStatus(); got == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			s.t.Errorf("the run of %s goes on", task.ID)
		}
	}
	s.t.Logf("%d tasks, %d of them cancelled", all, cancelled)
}

// cancelledWhileItDelegates creates children of a task one after the other until they are refused, because the task is cancelled.
func (s *scene) cancelledWhileItDelegates(source *rand.Rand) {
	parent, err := s.client.CreateTask(s.t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "the parent"})
	if err != nil {
		s.t.Error(err)
		return
	}
	moment := time.NewTimer(time.Duration(source.Int64N(int64(400 * time.Millisecond))))
	cancelled := make(chan error, 1)
	go func() {
		<-moment.C
		_, err := s.client.CancelTask(s.t.Context(), parent.ID, "at random")
		cancelled <- err
	}()
	for err == nil {
		_, err = s.client.CreateTask(s.t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "a child", ParentID: parent.ID})
	}
	if !errors.Is(err, sdk.ErrConflict) {
		s.t.Errorf("a child is refused with %v", err)
	}
	if err := <-cancelled; err != nil {
		s.t.Errorf("the cancellation: %v", err)
	}
}

// TestAgentsDelegateWithTheKeyOfTheirAttempt: a child of its own task, and of no other.
func TestAgentsDelegateWithTheKeyOfTheirAttempt(t *testing.T) {
	t.Parallel()
	k := newKeyedScene(t)
	k.keyedWorker("w1")
	task := k.delegate(script{"*": {"key", "until:go", "result:1"}})
	other := k.delegate(nil, func(r *sdk.TaskRequest) { r.Role = sdk.RoleTester })
	agent := keyed(t, k.stack, k.keyOf("0.1"), "")
	create := func(parent string) (*sdk.Task, error) {
		return agent.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeTest, Title: "by the agent", ParentID: parent})
	}
	child, err := create(task.ID)
	k.do(err)
	if child.ParentID != task.ID || child.RootID != task.ID {
		t.Errorf("the child is of %q below %q", child.ParentID, child.RootID)
	}
	for _, parent := range []string{other.ID, child.ID, ""} {
		if _, err := create(parent); !errors.Is(err, sdk.ErrForbidden) {
			t.Errorf("a child of %q: %v", parent, err)
		}
	}
	if status, body := k.ask(route{http.MethodPost, "/v1/tasks/{id}/cancel"}, child.ID, agent.Config().APIKey, ""); status != http.StatusAccepted {
		t.Errorf("its child is cancelled: %d %s", status, body)
	}
	k.touch("go")
	k.ended(task.ID)
	if _, err := create(task.ID); err == nil {
		t.Error("the key creates children after the end of its attempt")
	}
	if _, err := k.client.CancelTask(t.Context(), other.ID, "the end"); err != nil {
		t.Error(err)
	}
}
