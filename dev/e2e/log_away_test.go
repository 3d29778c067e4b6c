package e2e_test

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// logAway is for how long the event log is away, each of the two times.
var logAway = flag.Duration("log-away", 4*time.Second, "for how long the event log is away in the test of that; make soak has 30s")

// crew hands tasks out one after the other, each of its callers for itself, and notes how long each took.
type crew struct {
	s       *scene
	callers sync.WaitGroup
	over    chan struct{}

	mu    sync.Mutex
	ended []job
}

// job is a task that ended, as its caller saw it.
type job struct {
	id           string
	began, ended time.Time
}

func (s *scene) crew(callers int) *crew {
	c := &crew{s: s, over: make(chan struct{})}
	for range callers {
		c.callers.Go(c.work)
	}
	s.t.Cleanup(c.callers.Wait)
	return c
}

func (c *crew) work() {
	request := sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "under load", Input: []byte(`{"attempts":{"*":["progress:50","result:1"]}}`)}
	for {
		select {
		case <-c.over:
			return
		case <-c.s.t.Context().Done():
			return
		default:
		}
		began := time.Now()
		task, err := c.s.client.CreateTask(c.s.t.Context(), request)
		if err == nil {
			task, err = c.s.client.WaitForTask(c.s.t.Context(), task.ID)
		}
		if err != nil || task.Status != sdk.StatusCompleted {
			c.s.t.Errorf("a task under load: %+v %v", task, err)
			return
		}
		c.mu.Lock()
		c.ended = append(c.ended, job{task.ID, began, time.Now()})
		c.mu.Unlock()
	}
}

// all is every task that has ended so far.
func (c *crew) all() []job {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ended)
}

// fewest is how many tasks have to end in a time that is compared.
const fewest = 10

// within waits until the time is over, longer where few tasks have ended by then, and answers how long those took that began and ended in
// it, the quickest first.
func (c *crew) within(d time.Duration) (took []time.Duration) {
	c.s.t.Helper()
	began := time.Now()
	c.s.eventually("tasks that end", d+patience, func() error {
		took = nil
		for _, j := range c.all() {
			if j.began.After(began) {
				took = append(took, j.ended.Sub(j.began))
			}
		}
		if time.Since(began) < d || len(took) < fewest {
			return fmt.Errorf("%d have ended in %s", len(took), time.Since(began))
		}
		return nil
	})
	slices.Sort(took)
	return took
}

// stop lets what is under way end, and answers every task that ended.
func (c *crew) stop() []job {
	close(c.over)
	c.callers.Wait()
	return c.all()
}

// goesOn holds the tasks that end while the log is away to those that ended just before: they are as quick. What else the machine does may
// slow them down once, and then it is tried again; a task that waits for the log does so each time.
func (c *crew) goesOn(what string, away, back func()) {
	c.s.t.Helper()
	const rounds = 3
	for round := 1; ; round++ {
		before := c.within(*logAway)
		away()
		took := c.within(*logAway)
		back()
		c.s.t.Logf("the log was %s: %d tasks, half of them in %s, all in %s; before %d, %s and %s", what,
			len(took), middle(took), took[len(took)-1], len(before), middle(before), before[len(before)-1])
		if middle(took) <= 3*middle(before)/2+busy(150*time.Millisecond) && took[len(took)-1] <= before[len(before)-1]+busy(time.Second) {
			return
		}
		if round == rounds {
			c.s.t.Errorf("while the log is %s tasks take longer than before, %d times in a row", what, rounds)
			return
		}
	}
}

func middle(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

// TestTheLogGoesAway: it is suspended under load, and later killed. Tasks end as quickly as before, and whoever follows the project has all of
// their events in order once the log is back, those of a run that an operator terminated meanwhile too.
func TestTheLogGoesAway(t *testing.T) {
	t.Parallel()
	s := newScene(t, dev.ForTest(t, dev.Options{}))
	s.worker("worker", dev.Worker{Slots: 4})
	followed := s.follow(sdk.EventFilter{FromStart: true})
	crew := s.crew(3)
	crew.within(2 * time.Second) // what is done first takes longer

	crew.goesOn("suspended", func() {
		s.do(s.stack.Events.Signal(syscall.SIGSTOP))
	}, func() {
		if status, body := s.send(http.MethodPost, "/v1/events", "", "application/json", `{"type":"nobody.hears"}`); status != http.StatusServiceUnavailable {
			t.Errorf("an event is published while the log is suspended: %d %s", status, body)
		}
		s.do(s.stack.Events.Signal(syscall.SIGCONT))
		continued := time.Now()
		s.do(dev.Until(t.Context(), patience, s.logAnswers))
		t.Logf("the log answered %s after it went on", time.Since(continued))
	})
	ill := s.delegate(nil, func(r *sdk.TaskRequest) { r.Role = sdk.RoleTester })
	s.eventually("the story's beginning", patience, func() error {
		if len(followed.story(ill.ID)) == 0 {
			return errors.New("nothing was told")
		}
		return nil
	})

	back, terminate := time.Time{}, sync.OnceFunc(func() {
		s.do(s.stack.Temporal().TerminateWorkflow(t.Context(), s.execution(ill).GetWorkflowId(), "", "by an operator"))
	})
	crew.goesOn("killed", func() {
		s.do(s.stack.Events.Kill())
		terminate()
	}, func() {
		s.do(s.stack.Events.Restart(t.Context()))
		back = time.Now()
	})
	tasks := crew.stop()

	ids := []string{ill.ID}
	for _, j := range tasks {
		ids = append(ids, j.id)
	}
	followed.wantStories(ids)
	t.Logf("the stories of %d tasks were whole %s after the log was back", len(ids), time.Since(back))
	replayed := &follower{s: s}
	for e, err := range s.client.Events(t.Context(), sdk.EventFilter{FromStart: true}) {
		s.do(err)
		replayed.take(e)
	}
	replayed.wantStories(ids)
	if live, kept := followed.ofTasks(), replayed.ofTasks(); !slices.Equal(live, kept) { // how agents are changes by itself
		t.Errorf("followed were %d events, kept are %d others", len(live), len(kept))
	}
	if last := followed.story(ill.ID); last[len(last)-1].Type != sdk.EventTaskFailed {
		t.Errorf("the run that was terminated ended with %s", last[len(last)-1].Type)
	}
}

// TestATerminatedRunTellsItsEnd: nobody reads the task after an operator has terminated its run.
func TestATerminatedRunTellsItsEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	followed := s.follow(sdk.EventFilter{Types: sdk.EventPatterns{"task.*"}})
	task := s.delegate(nil)
	s.eventually("the story's beginning", patience, func() error {
		if len(followed.story(task.ID)) == 0 {
			return errors.New("nothing was told")
		}
		return nil
	})
	s.do(s.stack.Temporal().TerminateWorkflow(t.Context(), s.execution(task).GetWorkflowId(), "", "by an operator"))
	terminated := time.Now()
	followed.wantStories([]string{task.ID})
	story := followed.story(task.ID)
	end := story[len(story)-1]
	var data sdk.TaskEnded
	s.do(decodeStrictly(end.Data, &data))
	if end.Type != sdk.EventTaskFailed || data.Error == nil || data.Error.Code != sdk.CodeTerminated || data.TaskID != task.ID || data.Status != sdk.StatusFailed {
		t.Errorf("the run that was terminated ended with %s %s", end.Type, end.Data)
	}
	s.read("/v1/tasks/" + task.ID + "/events") // which ends
	t.Logf("the last event came %s after the run was terminated", time.Since(terminated))
}
