package conformance

import (
	"encoding/json"
	"slices"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// child hands out a task of the tester below another one.
func (s *scene) child(parent string, with ...func(*sdk.TaskRequest)) *sdk.Task {
	s.Helper()
	return s.delegate(append([]func(*sdk.TaskRequest){func(r *sdk.TaskRequest) { r.Role, r.ParentID = sdk.RoleTester, parent }}, with...)...)
}

// childEnds lets a task end whose child is at work, with one below that.
func childEnds(s *scene) {
	s.Agent(sdk.RoleCoder, "bob", sdktest.Script(sdktest.Attempt().Ask("Done?", ""), sdktest.Attempt().Complete(true)))
	s.Agent(sdk.RoleTester, "tess", sdktest.Script(sdktest.Attempt().Progress(50, "half").UntilStopped(), sdktest.Attempt().UntilStopped()))
	parent := s.delegate()
	s.is(parent.ID, "asking", func(t *sdk.Task) bool { return t.InputRequest != nil })
	child := s.child(parent.ID)
	s.half(child.ID)
	below := s.child(child.ID)
	free := s.child(child.ID, func(r *sdk.TaskRequest) { r.Detached = true })
	if child.RootID != parent.ID || below.RootID != parent.ID || below.ParentID != child.ID || free.RootID != parent.ID {
		s.Errorf("the child %+v, the one below %+v", child, below)
	}
	if got, err := s.client.GetTask(s.Context(), below.ID); err != nil || got.RootID != parent.ID || got.ParentID != child.ID {
		s.Errorf("the one below is read as %+v, %v", got, err)
	}
	_, err := s.client.ProvideInput(s.Context(), parent.ID, "input-0-1", true)
	s.do(err)
	s.ended(parent.ID)
	s.like("child_ends", s.ended(child.ID))
	s.ended(below.ID)
	if got, err := s.client.GetTask(s.Context(), free.ID); err != nil || got.Status.Terminal() {
		s.Errorf("the detached one is %+v, %v", got, err)
	}
	s.tellsOf(parent, child.ID)
	s.tellsOf(child, below.ID, free.ID)
	_, err = s.client.CancelTask(s.Context(), free.ID, "")
	s.do(err)
}

// tellsOf checks which children a task tells of.
func (s *scene) tellsOf(parent *sdk.Task, children ...string) {
	s.Helper()
	var told []string
	for _, e := range s.story(parent) {
		var d sdk.TaskDelegated
		if e.Type == sdk.EventAIDelegation {
			s.do(json.Unmarshal(e.Data, &d))
			told = append(told, d.ChildID)
		}
	}
	if !slices.Equal(told, children) {
		s.Errorf("%s tells of %q, want %q", parent.Title, told, children)
	}
}

func refusesChildren(s *scene) {
	create := func(parent string, opts ...sdk.CallOption) (*sdk.Task, error) {
		return s.client.CreateTask(s.Context(), sdk.TaskRequest{Type: sdk.TypeCodeTest, Title: "a child", ParentID: parent}, opts...)
	}
	_, err := create("unknown")
	s.code("of no task", err, sdk.CodeNotFound)
	chain := []*sdk.Task{s.delegate()}
	for range sdk.MaxDepth {
		chain = append(chain, s.child(chain[len(chain)-1].ID))
	}
	_, err = create(chain[sdk.MaxDepth].ID)
	s.code("too deep", err, sdk.CodeDelegationLimit)
	kept, err := create(chain[1].ID, sdk.IdempotencyKey("child"))
	s.do(err)
	_, err = s.client.CancelTask(s.Context(), chain[1].ID, "")
	s.do(err)
	s.ended(chain[1].ID)
	_, err = create(chain[1].ID)
	s.code("of one that has ended", err, sdk.CodeConflict)
	again, err := create(chain[1].ID, sdk.IdempotencyKey("child"))
	s.do(err)
	if again.ID != kept.ID {
		s.Errorf("the same key made %s and %s", kept.ID, again.ID)
	}
	_, err = s.client.RetryTask(s.Context(), s.ended(kept.ID).ID)
	s.code("a retry of a child whose parent has ended", err, sdk.CodeConflict)
}
