package e2e_test

import (
	"fmt"
	"slices"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// sitting is one walk of a session whose history is kept, that of each of its runs.
type sitting struct {
	with  func(*workflows.SessionInput)
	fails func(*sdk.Assignment) bool
	play  func(*talks) // sends what the session does, until it can be closed
	want  sdk.SessionEnded
	runs  []string // what the histories are kept as
}

// sittings are the kept histories of sessions; workflows/replay_test.go has the same names.
func sittings() []sitting {
	return []sitting{
		{
			runs: []string{"session-retry"}, fails: func(a *sdk.Assignment) bool { return a.Attempt == 1 },
			play: func(s *talks) { s.ends(s.send(1, sdk.TypeExecute)) },
			want: sdk.SessionEnded{CompletedTasks: 1},
		},
		{
			runs: []string{"session-fallback"}, fails: func(a *sdk.Assignment) bool { return a.Stage == 0 },
			with: func(in *workflows.SessionInput) {
				in.Config.CostTier, in.Config.Retry = sdk.TierHybrid, &sdk.Retry{MaxAttempts: 1}
			},
			play: func(s *talks) {
				if task := s.ends(s.send(1, sdk.TypeExecute)); !task.Degraded || task.Result.Model != "ollama" {
					s.t.Errorf("%+v", task.Result)
				}
			},
			want: sdk.SessionEnded{CompletedTasks: 1},
		},
		{
			runs: []string{"session-goes-on", "session-gone-on"},
			with: func(in *workflows.SessionInput) { in.TasksPerRun = 1 },
			play: func(s *talks) {
				hangs := s.send(99, sdk.TypeExecute)
				waits := s.send(1, sdk.TypeExecute)
				s.turned(1)
				_, _, err := s.engine.CancelTask(s.t.Context(), s.project, hangs, "not needed")
				s.do(err)
				s.ends(waits)
			},
			want: sdk.SessionEnded{CompletedTasks: 1, FailedTasks: 1},
		},
		{
			runs: []string{"session-close"},
			play: func(s *talks) {
				s.send(99, sdk.TypeExecute)
				s.send(1, sdk.TypeExecute)
				s.turned(1)
			},
			want: sdk.SessionEnded{FailedTasks: 2},
		},
	}
}

// sessionHistories plays every sitting on a stack and adds the histories by name.
func sessionHistories(t *testing.T, stack *dev.Stack, h map[string]*historypb.History) {
	t.Helper()
	e := newEngine(t, stack)
	for _, sitting := range sittings() {
		t.Run(sitting.runs[0], func(t *testing.T) {
			s := newScene(t, stack)
			s.project = sitting.runs[0]
			s.inProcess("worker-1", 1, answering(make(chan string, 10), sitting.fails))
			talk := s.open(e, "s1", sitting.with)
			sitting.play(talk)
			session := talk.closes()
			if session.CompletedTasks != sitting.want.CompletedTasks || session.FailedTasks != sitting.want.FailedTasks {
				t.Errorf("%+v", session)
			}
			runs := talk.runsOf()
			if len(runs) < len(sitting.runs) {
				t.Fatalf("the session had %d runs", len(runs))
			}
			for i, name := range sitting.runs {
				h[name] = s.replayedRun(workflows.SessionWorkflowID(s.project, "s1"), runs[i])
			}
		})
	}
}

// runsOf are the runs of a session, oldest first.
func (s *talks) runsOf() (runs []string) {
	s.t.Helper()
	id := workflows.SessionWorkflowID(s.project, s.session)
	for run := ""; ; {
		h, err := historyOfRun(s.t.Context(), s.stack.Temporal(), id, run)
		s.do(err)
		first := h.GetEvents()[0]
		runs = append(runs, first.GetWorkflowExecutionStartedEventAttributes().GetOriginalExecutionRunId())
		if run = first.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId(); run == "" {
			slices.Reverse(runs)
			return runs
		}
	}
}

// turned waits until so many tasks of the session have been started.
func (s *talks) turned(n int) {
	s.t.Helper()
	s.eventually("the turn", patience, func() error {
		h, err := historyOf(s.t.Context(), s.stack.Temporal(), workflows.SessionWorkflowID(s.project, s.session))
		started := 0
		for _, e := range h.GetEvents() {
			if e.GetEventType() == enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED {
				started++
			}
		}
		if err == nil && started < n {
			err = fmt.Errorf("%d have begun", started)
		}
		return err
	})
}
