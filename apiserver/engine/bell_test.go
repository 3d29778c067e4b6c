package engine

import (
	"context"
	"log/slog"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

func openLog(t *testing.T) *eventlog.Log {
	t.Helper()
	l, err := eventlog.Open(t.Context(), eventlog.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// tell writes events of these types to the story of the task a, from a number on.
func tell(t *testing.T, l *eventlog.Log, from int, types ...sdk.EventType) {
	t.Helper()
	part := eventlog.StoryPart{Story: eventlog.Story{Kind: eventlog.KindTask, ID: "a"}}
	for i, typ := range types {
		part.Events = append(part.Events, sdk.Event{
			SpecVersion: sdk.EventSpecVersion, ID: "e", Source: "test", Type: typ, Time: at(0), Seq: from + i,
		})
	}
	if err := l.AppendStory(t.Context(), "p", part); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	limit := time.After(patience)
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-limit:
			t.Fatalf("waited for %s", what)
		}
	}
}

func (e *Engine) bellNow(project string) *bell {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bells[project]
}

// hears waits until the project's bell hears everything.
func (e *Engine) hears(t *testing.T) *bell {
	t.Helper()
	eventually(t, "the bell", func() bool { b := e.bellNow("p"); return b != nil && b.since(time.Now()) })
	return e.bellNow("p")
}

// withBell is an engine on a log whose bell for the project p stands, and that looks at nothing of its own accord.
func withBell(t *testing.T, o *oneRun, l *eventlog.Log, cfg Config) *Engine {
	t.Helper()
	cfg.Events = l
	cfg.PollInterval = orDefault(cfg.PollInterval, time.Hour)
	e := newTestEngine(t, o, cfg)
	e.mu.Lock()
	e.bellOf("p")
	e.mu.Unlock()
	e.hears(t)
	return e
}

// TestTheLogWakesWaits: no long poll is parked while the log is followed; its word of the end, which comes before the run has closed, takes
// one for all waiters.
func TestTheLogWakesWaits(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	e := newTestEngine(t, o, Config{Events: l, PollInterval: time.Hour, DescribeTTL: time.Hour})
	answers := waitAll(t.Context(), e, 500, patience)
	e.hears(t)
	tell(t, l, 1, sdk.EventTaskCreated, sdk.EventTaskProgress)
	eventually(t, "the look after the bell began", func() bool { describes, _, _, _, _ := o.counts(); return describes >= 2 })
	if _, polls, _, _, _ := o.counts(); polls != 0 {
		t.Errorf("%d long polls while the task runs", polls)
	}
	tell(t, l, 3, sdk.EventTaskCompleted, sdk.EventCodeGenerated)
	eventually(t, "the poll", func() bool { _, _, open, _, _ := o.counts(); return open == 1 })
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
	for range 500 {
		if task := <-answers; task.Status != sdk.StatusCompleted {
			t.Fatalf("answered %s", task.Status)
		}
	}
	// One describe is the first waiter's, one is the look after the bell began; a waiter who comes while that begins may need another.
	if describes, polls, open, reads, _ := o.counts(); describes < 2 || describes > 4 || polls != 1 || open != 0 || reads != 0 {
		t.Errorf("%d describes, %d long polls, %d open, %d close events read", describes, polls, open, reads)
	}
}

// TestAnEndBeforeTheBellBeginsIsSeen: what a caller read was true a moment before; nothing else would ever tell.
func TestAnEndBeforeTheBellBeginsIsSeen(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	e := newTestEngine(t, o, Config{Events: l, PollInterval: time.Hour, DescribeTTL: time.Hour})
	if _, err := e.GetTask(t.Context(), "p", "a"); err != nil {
		t.Fatal(err)
	}
	tell(t, l, 1, sdk.EventTaskCompleted)
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
	if task := <-waitAll(t.Context(), e, 1, patience); task.Status != sdk.StatusCompleted {
		t.Errorf("answered %s", task.Status)
	}
	if _, polls, _, _, _ := o.counts(); polls != 0 {
		t.Errorf("%d long polls", polls)
	}
}

// TestATaskOfOnesOwnIsNotLookedAt: whoever waits for a task that this engine created while the bell stood can miss nothing, however young
// the bell is.
func TestATaskOfOnesOwnIsNotLookedAt(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	o.fresh = true
	e := withBell(t, o, l, Config{DescribeTTL: time.Hour})
	if _, _, err := e.CreateTask(t.Context(), input(), ""); err != nil {
		t.Fatal(err)
	}
	answers := waitAll(t.Context(), e, 1, patience)
	eventually(t, "the watch", func() bool { e.mu.Lock(); defer e.mu.Unlock(); return len(e.watches) == 1 })
	tell(t, l, 1, sdk.EventTaskCompleted)
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
	if task := <-answers; task.Status != sdk.StatusCompleted {
		t.Errorf("answered %s", task.Status)
	}
	if describes, polls, _, _, _ := o.counts(); describes != 0 || polls != 1 {
		t.Errorf("%d describes, %d long polls; want one poll, for the end that the log told of", describes, polls)
	}
}

// TestAnEndThatWasHeardBeforeTheWaitBeginsIsSeen: of a task that was read as open from a cache.
func TestAnEndThatWasHeardBeforeTheWaitBeginsIsSeen(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	e := withBell(t, o, l, Config{DescribeTTL: time.Hour})
	if _, err := e.GetTask(t.Context(), "p", "a"); err != nil {
		t.Fatal(err)
	}
	tell(t, l, 1, sdk.EventTaskCompleted)
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
	eventually(t, "the event", func() bool { _, ok := e.bellNow("p").heard.get(workflows.TaskWorkflowID("p", "a")); return ok })
	if task := <-waitAll(t.Context(), e, 1, patience); task.Status != sdk.StatusCompleted {
		t.Errorf("answered %s", task.Status)
	}
	if describes, polls, _, _, _ := o.counts(); describes > 2 || polls > 1 {
		t.Errorf("%d describes, %d long polls", describes, polls)
	}
}

// TestWaitsDoWithoutALogThatIsAway: they poll as they would without one.
func TestWaitsDoWithoutALogThatIsAway(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	e := withBell(t, o, l, Config{})
	answers := waitAll(t.Context(), e, 3, patience)
	eventually(t, "the watch", func() bool { e.mu.Lock(); defer e.mu.Unlock(); return len(e.watches) == 1 })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a long poll", func() bool { _, _, open, _, _ := o.counts(); return open == 1 })
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
	for range 3 {
		if task := <-answers; task.Status != sdk.StatusCompleted {
			t.Errorf("answered %s", task.Status)
		}
	}
}

// TestABellThatNeverStoodSaysSo once to the watches that wait for it to begin.
func TestABellThatNeverStoodSaysSo(t *testing.T) {
	t.Parallel()
	b := &bell{ready: time.Now().Add(time.Hour)}
	if !b.relied() {
		t.Error("it is not waited for")
	}
	if !b.set(false) || b.relied() {
		t.Error("that it does not begin is no news")
	}
	for i, step := range []struct{ stands, news bool }{{false, false}, {true, true}, {true, false}, {false, true}, {false, false}} {
		if news := b.set(step.stands); news != step.news || b.relied() != step.stands {
			t.Errorf("step %d: %t, relied on: %t", i, news, b.relied())
		}
	}
}

// TestALogThatDoesNotTellIsNotReliedOn: of a task that ended without a word there, whoever should write it may not.
func TestALogThatDoesNotTellIsNotReliedOn(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	e := withBell(t, o, l, Config{PollInterval: 20 * time.Millisecond})
	b := e.bellNow("p")
	answers := waitAll(t.Context(), e, 1, patience)
	eventually(t, "two looks", func() bool { describes, _, _, _, _ := o.counts(); return describes > 3 })
	if !b.relied() {
		t.Error("it is doubted before anything has ended")
	}
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
	if task := <-answers; task.Status != sdk.StatusCompleted {
		t.Errorf("answered %s", task.Status)
	}
	if b.relied() {
		t.Error("it is relied on all the same")
	}
}

// TestABellEndsWithItsLastWatch: who follows a log for nobody takes it nothing but work.
func TestABellEndsWithItsLastWatch(t *testing.T) {
	t.Parallel()
	o, l := newOneRun(t, input()), openLog(t)
	e := newTestEngine(t, o, Config{Events: l, PollInterval: time.Hour, Linger: 50 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	answers := waitAll(ctx, e, 1, patience)
	e.hears(t)
	cancel()
	<-answers
	eventually(t, "the bell's end", func() bool { return e.bellNow("p") == nil })
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.watches) != 0 || e.polls != 0 {
		t.Errorf("%d watches, %d polls", len(e.watches), e.polls)
	}
}
