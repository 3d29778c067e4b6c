package conformance

import (
	"errors"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

func (s *scene) cancel(id string) *sdk.Task {
	s.Helper()
	task, err := s.client.CancelTask(s.Context(), id, "not needed any more")
	s.do(err)
	return task
}

func cancelsQueued(s *scene) {
	task := s.delegate()
	s.cancel(task.ID)
	s.like("cancels_queued", s.ended(task.ID))
}

func cancelsRunning(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Progress(50, "writing").UntilStopped()))
	task := s.delegate()
	s.half(task.ID)
	s.cancel(task.ID)
	s.cancel(task.ID)
	s.like("cancels_running", s.ended(task.ID))
}

func cancelsAsking(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", asking(opened()))
	task := s.delegate()
	s.asked(task.ID)
	s.cancel(task.ID)
	s.like("cancels_asking", s.ended(task.ID))
}

func cancelsResting(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Fail(errors.New("the build is red"))))
	task := s.delegate(func(r *sdk.TaskRequest) { r.Retry.InitialIntervalMs = 60_000 })
	s.waits(task.ID, sdk.WaitingBackingOff)
	s.cancel(task.ID)
	s.like("cancels_resting", s.ended(task.ID))
}

func completesCancelled(s *scene) {
	gate := sdktest.NewGate()
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Ignore(gate).Complete("done")))
	task := s.delegate()
	s.running(task.ID)
	s.cancel(task.ID)
	s.waitsOrRuns(task.ID)
	gate.Open()
	s.like("completes_cancelled", s.ended(task.ID))
}

// waitsOrRuns checks that a cancelled task is open while its agent has not stopped.
func (s *scene) waitsOrRuns(id string) {
	s.Helper()
	task, err := s.client.GetTask(s.Context(), id)
	s.do(err)
	if task.Status != sdk.StatusRunning {
		s.Errorf("a cancelled task whose agent goes on is %s", task.Status)
	}
}

func cancelsEnded(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", completing())
	task := s.ended(s.delegate().ID)
	if again := s.cancel(task.ID); again.Status != sdk.StatusCompleted || !again.CompletedAt.Equal(*task.CompletedAt) {
		s.Errorf("cancelled after its end it is %s", again.Status)
	}
}
