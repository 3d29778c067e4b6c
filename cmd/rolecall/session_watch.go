package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

func sessionWatchCommand(c *console) *cobra.Command {
	var after string
	cmd := &cobra.Command{
		Use:   "watch <id>",
		Short: "Follow a session to its close",
		Long: `Follow a session from its first event to its close, one line for each thing that happens, with a progress bar on a terminal; with
--json one event a line. A connection that is cut is made again, and nothing is left out or told twice. Ctrl-C ends the watching, never
the session.`,
		Example: `  rolecall session watch $id
  rolecall session watch $id --json | jq 'select(.type == "task_error") | .payload.error'`,
		Args: arguments("session id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := connect()
			if err != nil {
				return err
			}
			session, err := client.Session(cmd.Context(), args[0]) // one that is not there is said so at once
			if err != nil {
				return err
			}
			w := &sessionScreen{screen: screen{console: c}}
			if err := w.watch(cmd.Context(), session, sdk.ResumeAfter(after)); err != nil {
				return w.ended(cmd, session.ID(), err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&after, "after", "", "what happened after this place in the log; default all from the session's first event")
	return cmd
}

// sessionScreen shows a session: lines, and on a terminal a bar for the task that has its turn.
type sessionScreen struct {
	screen
	last string // the place of the last event
}

// heard is an event of a session, or why there are no more.
type heard struct {
	event *sdk.SessionEvent
	err   error
}

func (s *sessionScreen) watch(ctx context.Context, session *sdk.SessionHandle, opts ...sdk.FollowOption) error {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan heard)
	defer func() { // the goroutine below has ended before this returns
		cancel()
		for range events {
		}
	}()
	opts = append(opts, s.tryingAgain())
	go func() {
		defer close(events)
		for e, err := range session.Events(ctx, opts...) {
			events <- heard{e, err}
		}
	}()
	clock := time.NewTicker(redraw)
	defer clock.Stop()
	for {
		select {
		case h, open := <-events:
			if !open {
				return s.clear()
			}
			if h.err != nil {
				return joined(h.err, s.clear())
			}
			if err := s.take(h.event); err != nil {
				return err
			}
		case <-clock.C:
			if err := s.draw(); err != nil {
				return err
			}
		}
	}
}

// take shows an event.
func (s *sessionScreen) take(e *sdk.SessionEvent) error {
	s.last = e.Sequence
	if s.json {
		return s.printLine(e)
	}
	s.shown = shownBy(s.shown, e)
	if e.Type == sdk.TaskProgressEvent && s.width() > 0 && e.Payload.Category != sdk.CategoryInputRequired { // the bar has it
		return s.draw()
	}
	return s.lines([]string{sessionEventText(e)})
}

// shownBy is the task that has its turn, as far as the session's stream tells of it; nil between two.
func shownBy(before *sdk.Task, e *sdk.SessionEvent) *sdk.Task {
	p := e.Payload
	switch {
	case e.Type == sdk.TaskStartEvent:
		return &sdk.Task{ID: p.TaskID, Type: p.TaskType, Status: sdk.StatusRunning, CreatedAt: e.Time(), Attempt: 1}
	case before == nil || before.ID != p.TaskID:
		return before
	}
	now := *before
	switch {
	case e.Type == sdk.TaskProgressEvent && p.Progress != nil:
		now.Progress = &sdk.Progress{Percentage: p.Progress.Percentage, Phase: p.Progress.Phase, Tool: p.Tool, Message: p.Message}
	case e.Type == sdk.TaskErrorEvent && p.Operation != "":
		now.Attempt, now.MaxAttempts, now.Progress = p.Attempt+1, p.MaxAttempts, nil
	case e.Type == sdk.TaskErrorEvent && p.Fallback:
		now.Stage, now.Attempt, now.MaxAttempts, now.Progress = now.Stage+1, 1, max(now.MaxAttempts, 1), nil
	case e.Type == sdk.TaskErrorEvent, e.Type == sdk.TaskCompleteEvent:
		return nil
	}
	return &now
}

// sessionEventText is an event of a session's stream in one line.
func sessionEventText(e *sdk.SessionEvent) string {
	p := e.Payload
	took := span(time.Duration(p.Duration) * time.Millisecond)
	text := ""
	switch e.Type {
	case sdk.SessionStartEvent:
		text = fmt.Sprintf("session %s: %s, %s thinks and %s works", p.SessionID, p.CostTier, p.OrchestratorModel, p.ExecutorModel)
	case sdk.TaskStartEvent:
		text = fmt.Sprintf("%s begins: %s", p.TaskType, p.Prompt)
	case sdk.TaskProgressEvent:
		text = progressOf(p)
	case sdk.TaskCompleteEvent:
		text = fmt.Sprintf("%s done after %s", p.TaskType, took)
		if p.Degraded {
			text += ", degraded"
		}
	case sdk.TaskErrorEvent:
		text = failureText(p, took)
	case sdk.SessionCloseEvent:
		text = fmt.Sprintf("session %s closed", p.SessionID)
	default:
		text = string(e.Type)
	}
	return e.Time().Format(time.TimeOnly) + "  " + fit(strings.TrimSpace(printable(text, false)), longestSummary)
}

func progressOf(p sdk.SessionPayload) string {
	if p.Category == sdk.CategoryInputRequired {
		return fmt.Sprintf("%s asks: %s (answer with: rolecall task input %s --answer '<JSON>')", p.TaskType, p.Message, p.TaskID)
	}
	said := sdk.Progress{Tool: p.Tool, Message: p.Message}
	if p.Progress != nil {
		said.Percentage, said.Phase = p.Progress.Percentage, p.Progress.Phase
	}
	return progressText(said)
}

func failureText(p sdk.SessionPayload, took string) string {
	switch {
	case p.Cancelled:
		return fmt.Sprintf("%s cancelled: %s", p.TaskType, p.Error)
	case p.Operation != "":
		return fmt.Sprintf("%s attempt %d of %d failed after %s: %s", p.TaskType, p.Attempt, p.MaxAttempts, took, p.Error)
	case p.Fallback:
		return fmt.Sprintf("%s falls back one tier: %s", p.TaskType, p.Error)
	default:
		return fmt.Sprintf("%s failed: %s", p.TaskType, p.Error)
	}
}

// ended says how to go on.
func (s *sessionScreen) ended(cmd *cobra.Command, id string, err error) error {
	if s.last != "" {
		s.note("Go on with: rolecall session watch %s --after %s", id, shortSequence(s.last))
	}
	if cmd.Context().Err() == nil {
		return err
	}
	return &exitError{code: exitInterrupted}
}
