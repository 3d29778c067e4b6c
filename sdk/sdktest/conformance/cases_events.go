package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

func tellsSuccess(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", completing())
	task := s.delegate(func(r *sdk.TaskRequest) { r.CorrelationID, r.Description = "c-1", "With a form." })
	s.tells("tells_success", s.ended(task.ID))
	var types []sdk.EventType
	s.eventually("what was done by the task", func() error {
		types = nil
		for e, err := range s.client.Events(s.Context(), sdk.EventFilter{Subject: "task/" + task.ID}) {
			s.do(err)
			types = append(types, e.Type)
		}
		if len(types) < 5 {
			return fmt.Errorf("there are only %q", types)
		}
		return nil
	})
	want := []sdk.EventType{sdk.EventTaskCreated, sdk.EventTaskAssigned, sdk.EventTaskStarted, sdk.EventTaskCompleted, sdk.EventCodeGenerated}
	if d := cmp.Diff(want, types); d != "" {
		s.Errorf("the whole story (-want +got):\n%s", d)
	}
}

func tellsFallback(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(
		sdktest.Attempt().Fail(errors.New("the build is red")),
		sdktest.Attempt().Fail(sdk.Final("too_hard", errors.New("it is too hard"))),
	))
	s.Agent(sdk.RoleDebugger, "bob", completing())
	task := s.delegate(func(r *sdk.TaskRequest) { r.Fallback = []sdk.Stage{{Role: sdk.RoleDebugger, Model: "large"}} })
	s.Pass(time.Second)
	s.tells("tells_fallback", s.ended(task.ID))
}

func tellsQuestion(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Ask("Which port?", portSchema), sdktest.Attempt().Complete("done")))
	task := s.delegate()
	s.asked(task.ID)
	_, err := s.client.ProvideInput(s.Context(), task.ID, "input-0-1", json.RawMessage(`{"port":80}`))
	s.do(err)
	s.tells("tells_question", s.ended(task.ID))
}

func tellsCancellation(s *scene) {
	task := s.delegate()
	s.cancel(task.ID)
	s.tells("tells_cancellation", s.ended(task.ID))
}

// followsEvents follows the log while a caller publishes, and reads it back.
func followsEvents(s *scene) {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	first := s.publish(sdk.EventRequest{Type: "build.begun", Subject: "build/1", Data: json.RawMessage(`{"n":1.0}`), ID: "e-1"})
	followed := make(chan sdk.Event, 1)
	failed := make(chan error, 1)
	go func() {
		for e, err := range s.client.Subscribe(ctx, sdk.EventFilter{Types: sdk.EventPatterns{"build.*"}, After: first.Sequence}) {
			if err != nil {
				failed <- err
				return
			}
			followed <- *e
			return
		}
	}()
	second := s.publish(sdk.EventRequest{Type: "build.done", CorrelationID: "c-1", ID: "e-2"})
	select {
	case e := <-followed:
		if e.Type != "build.done" || e.ID != "e-2" || e.Sequence != second.Sequence || e.CorrelationID != "c-1" || e.Project != s.client.Config().ProjectID {
			s.Errorf("followed %+v", e)
		}
	case err := <-failed:
		s.Fatal(err)
	case <-ctx.Done():
		s.Fatal("nothing was followed")
	}
	var read []string
	for e, err := range s.client.Events(ctx, sdk.EventFilter{}) {
		s.do(err)
		read = append(read, string(e.Type)+" "+e.Subject+" "+string(e.Data))
	}
	if d := cmp.Diff([]string{`build.begun build/1 {"n":1.0}`, "build.done  "}, read); d != "" {
		s.Errorf("read back (-want +got):\n%s", d)
	}
	if again := s.publish(sdk.EventRequest{Type: "build.done", ID: "e-2"}); !again.Duplicate || again.Sequence != second.Sequence {
		s.Errorf("published again it is %+v", again)
	}
	_, err := s.client.Publish(ctx, sdk.EventRequest{Type: "task.completed"})
	s.code("a type of the service's own", err, sdk.CodeReservedType)
}

func (s *scene) publish(e sdk.EventRequest) sdk.Published {
	s.Helper()
	list, err := s.client.Publish(s.Context(), e)
	s.do(err)
	return list[0]
}

// redelivers gives an event of a task's story back, and gets it again.
func redelivers(s *scene) {
	d := s.client.Durable("watch")
	_, err := d.Put(s.Context(), sdk.SubscriptionRequest{Types: sdk.EventPatterns{"task.completed"}, From: "beginning"})
	s.do(err)
	s.Agent(sdk.RoleCoder, "ann", completing())
	task := s.ended(s.delegate().ID)
	first := s.pull(d)
	settled, err := d.Nack(s.Context(), 0, first.Ack)
	s.do(err)
	if settled[0].Stale || settled[0].Error != nil {
		s.Errorf("given back it is %+v", settled[0])
	}
	again := s.pull(d)
	if first.Event.Task != task.ID || again.Event.Sequence != first.Event.Sequence || first.Deliveries != 1 || again.Deliveries != 2 {
		s.Errorf("delivery %d is of %s, delivery %d of %s", first.Deliveries, first.Event.Sequence, again.Deliveries, again.Event.Sequence)
	}
	settled, err = d.Ack(s.Context(), first.Ack)
	s.do(err)
	if !settled[0].Stale {
		s.Error("the ack of what was given back is good")
	}
	settled, err = d.Ack(s.Context(), again.Ack)
	s.do(err)
	if settled[0].Stale {
		s.Error("the ack of what was given out again is not good")
	}
	more, err := d.Pull(s.Context(), sdk.PullRequest{})
	s.do(err)
	if len(more) > 0 {
		s.Errorf("after its ack it is given out again: %+v", more[0])
	}
}

// pull takes one event.
func (s *scene) pull(d *sdk.Durable) sdk.Delivery {
	s.Helper()
	list, err := d.Pull(s.Context(), sdk.PullRequest{WaitMs: patience.Milliseconds()})
	s.do(err)
	if len(list) != 1 {
		s.Fatalf("%d events came", len(list))
	}
	return list[0]
}

// groupsErrors reads what failed.
func groupsErrors(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Fail(errors.New("the build is red"))))
	task := s.delegate(func(r *sdk.TaskRequest) { r.Retry.MaxAttempts = 2 })
	s.Pass(time.Second)
	s.ended(task.ID)
	groups, err := s.client.Errors(s.Context(), time.Now().Add(-time.Hour))
	s.do(err)
	if len(groups.Items) != 1 || groups.Items[0].Count != 2 || groups.Items[0].ExampleTask != task.ID || groups.Items[0].Message != "the build is red" {
		s.Errorf("the failures are %+v", groups.Items)
	}
}
