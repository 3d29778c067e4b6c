package activities_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/testsuite"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// log is a scripted event log.
type log struct {
	refuses func(e sdk.Event) error // why an event can not be kept; nil: it can
	away    error
	told    []sdk.Event
	calls   int
}

func (l *log) Tell(_ context.Context, _, _, _ string, _ int, events []sdk.Event) error {
	l.calls++
	if l.away != nil {
		return l.away
	}
	for _, e := range events {
		if l.refuses != nil {
			if err := l.refuses(e); err != nil {
				return err
			}
		}
	}
	l.told = append(l.told, events...)
	return nil
}

var (
	_ activities.StoryLog = (*log)(nil)
	_ activities.StoryLog = (*eventlog.Log)(nil)
)

func events(n int) (list []sdk.Event) {
	for i := range n {
		list = append(list, sdk.Event{Type: sdk.EventTaskProgress, ID: fmt.Sprint(i + 1), Seq: i + 1, Data: []byte(`{}`), DataContentType: "application/json"})
	}
	return list
}

func part(list []sdk.Event) activities.PublishEventsInput {
	return activities.PublishEventsInput{Project: "p", Kind: activities.StoryTask, ID: "t1", Events: list}
}

// publish runs an activity as Temporal does.
func publish(t *testing.T, activity any, in activities.PublishEventsInput) error {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(activity)
	_, err := env.ExecuteActivity(activity, in)
	return err
}

func TestPublisherChangesEventsAndSaysWhatIsKept(t *testing.T) {
	t.Parallel()
	l := &log{}
	var kept []int
	p := &activities.Publisher{
		Stories: l,
		Before:  func(e sdk.Event) sdk.Event { e.Data = []byte(`"[redacted]"`); return e },
		After:   func(in activities.PublishEventsInput) { kept = append(kept, len(l.told), len(in.Events)) },
	}
	in := part(events(3))
	if err := publish(t, p.PublishEvents, in); err != nil {
		t.Fatal(err)
	}
	for _, e := range l.told {
		if string(e.Data) != `"[redacted]"` {
			t.Errorf("told %s", e.Data)
		}
	}
	if !slices.Equal(kept, []int{3, 3}) || string(in.Events[0].Data) != `{}` {
		t.Errorf("after: %v, the workflow's own event is %s", kept, in.Events[0].Data)
	}
}

func TestPublisherKeepsAnEventWithoutItsData(t *testing.T) {
	t.Parallel()
	large := events(3)
	large[1].Data = []byte(`"` + strings.Repeat("x", sdk.MaxEventData) + `"`)
	for name, test := range map[string]struct {
		events []sdk.Event
		log    *log
		want   sdk.Code
	}{
		"too large": {large, &log{}, sdk.CodePayloadTooLarge},
		"refused by the log": {events(3), &log{refuses: func(e sdk.Event) error {
			if e.Seq == 2 && e.Data != nil {
				return sdk.Errorf(sdk.CodeInvalidInput, "it cannot be written")
			}
			return nil
		}}, sdk.CodeInvalidInput},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &activities.Publisher{Stories: test.log}
			if err := publish(t, p.PublishEvents, part(test.events)); err != nil {
				t.Fatal(err)
			}
			want := events(3)
			want[1].Data, want[1].DataContentType, want[1].Dropped = nil, "", test.want
			if d := cmp.Diff(want, test.log.told); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPublisherHasNothingToTell(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stories activities.StoryLog
		in      activities.PublishEventsInput
	}{
		"no log":     {nil, part(events(1))},
		"no project": {&log{away: errors.New("asked")}, activities.PublishEventsInput{Project: "*", Kind: "t", ID: "t1", Events: events(1)}},
		"no events":  {&log{away: errors.New("asked")}, part(nil)},
	} {
		p := &activities.Publisher{Stories: test.stories}
		for _, activity := range []any{p.PublishEvents, p.PublishEventsLocally} {
			if err := publish(t, activity, test.in); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestPublisherDoesNotHoldWorkflowTasksUpWhileTheLogIsAway(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		away  error
		calls int // of the log for two local tries
	}{
		"away":                        {sdk.Errorf(sdk.CodeUnavailable, "away"), 1},
		"it hangs":                    {context.DeadlineExceeded, 1},
		"a full queue of the project": {sdk.Errorf(sdk.CodeRateLimited, "too much"), 2},
		"a gap":                       {sdk.Errorf(sdk.CodeConflict, "a gap"), 2},
		"a fault":                     {sdk.Errorf(sdk.CodeInternal, "broken"), 2},
		"a refusal":                   {sdk.Errorf(sdk.CodeInvalidInput, "no"), 6}, // whole, alone, and without its data
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &log{away: test.away}
				p := &activities.Publisher{Stories: l}
				for range 2 {
					if err := p.PublishEventsLocally(t.Context(), part(events(1))); err == nil {
						t.Error("it is kept")
					}
				}
				if l.calls != test.calls {
					t.Errorf("the log was asked %d times, want %d", l.calls, test.calls)
				}
				l.away = nil
				<-time.After(11 * time.Second) // by the clock of the bubble
				if err := p.PublishEventsLocally(t.Context(), part(events(1))); err != nil {
					t.Errorf("after a while: %v", err)
				}
				l.away = sdk.Errorf(sdk.CodeUnavailable, "away")
				_ = p.PublishEventsLocally(t.Context(), part(events(1)))
				l.away = nil
				if err := p.PublishEvents(t.Context(), part(events(1))); err != nil {
					t.Error(err)
				}
				if err := p.PublishEventsLocally(t.Context(), part(events(1))); err != nil {
					t.Errorf("after an ordinary activity found the log back: %v", err)
				}
			})
		})
	}
}

// TestPublisherLosesNoDataToALogInTrouble: whatever is wrong with the log, the events stay whole until it takes them.
func TestPublisherLosesNoDataToALogInTrouble(t *testing.T) {
	t.Parallel()
	for _, code := range []sdk.Code{sdk.CodeUnavailable, sdk.CodeInternal, sdk.CodeConflict, sdk.CodeRateLimited} {
		l := &log{refuses: func(e sdk.Event) error {
			if e.Data != nil {
				return sdk.Errorf(code, "no room for data")
			}
			return nil
		}}
		p := &activities.Publisher{Stories: l}
		if err := p.PublishEvents(t.Context(), part(events(3))); err == nil || len(l.told) > 0 {
			t.Errorf("%s: %v, and told %v", code, err, l.told)
		}
		l.refuses = nil
		if err := p.PublishEvents(t.Context(), part(events(3))); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(events(3), l.told); d != "" {
			t.Errorf("%s: %s", code, d)
		}
	}
}

// slowLog takes a while for everything.
type slowLog time.Duration

func (l slowLog) Tell(ctx context.Context, _, _, _ string, _ int, _ []sdk.Event) error {
	select {
	case <-time.After(time.Duration(l)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// TestPublisherIsNotHeldUpByASlowLog: one that answers ordinary activities, and too late for local ones, or just in time.
func TestPublisherIsNotHeldUpByASlowLog(t *testing.T) {
	t.Parallel()
	for takes, test := range map[time.Duration]struct{ held, kept int }{
		200 * time.Millisecond: {1, 0}, // the first of 20 runs
		120 * time.Millisecond: {1, 1},
		80 * time.Millisecond:  {20, 20},
	} {
		t.Run(takes.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &activities.Publisher{Stories: slowLog(takes)}
				held, kept := 0, 0
				for range 20 {
					began := time.Now()
					ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
					if err := p.PublishEventsLocally(ctx, part(events(1))); err == nil {
						kept++
					}
					cancel()
					if time.Since(began) > 0 {
						held++
					}
					if err := p.PublishEvents(t.Context(), part(events(1))); err != nil {
						t.Error(err)
					}
				}
				if held != test.held || kept != test.kept {
					t.Errorf("%d of 20 runs were held up, %d local activities kept their events; want %+v", held, kept, test)
				}
			})
		})
	}
}
