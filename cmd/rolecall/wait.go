package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

// redraw is how often the bar is drawn anew, so that its clock runs.
const redraw = time.Second

// codeWaitTimeout is the code of exit code 4.
const codeWaitTimeout sdk.Code = "wait_timeout"

// waiting is how a command waits for the end of a task.
type waiting struct {
	wanted, follow bool
	timeout        time.Duration
}

func (w *waiting) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&w.wanted, "wait", false, "wait until it has ended")
	cmd.Flags().BoolVar(&w.follow, "follow", false, "wait, and print what happens; with --json one task a line")
	w.timeoutFlag(cmd)
}

func (w *waiting) timeoutFlag(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&w.timeout, "wait-timeout", 0, "how long to wait, such as 10m (default for ever); exit code 4 after it")
}

// check refuses flags that cannot be meant; it comes before anything is sent.
func (w *waiting) check() error {
	if w.timeout < 0 {
		return usagef("--wait-timeout must not be negative")
	}
	return nil
}

func (w *waiting) asked() bool { return w.wanted || w.follow || w.timeout > 0 }

// wait shows a task until it has ended and answers it then.
func (w *waiting) wait(ctx context.Context, c *console, client *sdk.Client, task *sdk.Task) (*sdk.Task, error) {
	bounded, cancel := w.bounded(ctx)
	defer cancel()
	s := &screen{console: c, follow: w.follow}
	last, err := s.watch(bounded, client, task.ID)
	if err != nil {
		return nil, w.stopped(ctx, c, "task", task.ID, err)
	}
	return last, nil
}

// bounded is ctx, for as long as --wait-timeout allows.
func (w *waiting) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if w.timeout > 0 {
		return context.WithTimeout(ctx, w.timeout)
	}
	return context.WithCancel(ctx)
}

// stopped says why the waiting has ended before the task or plan that was waited for; ctx is the one that was not bounded.
func (w *waiting) stopped(ctx context.Context, c *console, kind, id string, err error) error {
	id = printable(id, false)
	switch {
	case ctx.Err() != nil:
		c.note("Stopped waiting; the %s goes on. Look at it with: rolecall %s get %s\nStop it with: rolecall %s cancel %s", kind, kind, id, kind, id)
		return &exitError{code: exitInterrupted}
	case errors.Is(err, context.DeadlineExceeded):
		text := sdk.Errorf(codeWaitTimeout, "%s %s has not ended within %s; it goes on. Look at it with: rolecall %s get %s", kind, id, w.timeout, kind, id)
		if errors.Is(err, sdk.ErrUnavailable) {
			text.Message += "; the service can not be reached at the moment"
		}
		return &exitError{code: exitTimedOut, err: text}
	case c.json, errors.Is(err, sdk.ErrNotFound), errors.Is(err, sdk.ErrUnauthenticated), errors.Is(err, sdk.ErrForbidden):
		return err
	default:
		c.note("Stopped waiting. Look at the %s with: rolecall %s get %s", kind, kind, id)
		return err
	}
}

// handedOut shows a task that was just created: at once, or when it has ended if that was asked for.
func (w *waiting) handedOut(ctx context.Context, c *console, client *sdk.Client, task *sdk.Task) error {
	if w.asked() {
		return w.toEnd(ctx, c, client, task)
	}
	if c.json {
		return c.printJSON(task)
	}
	return c.printf("%s\nLook at it with: rolecall task get %s\n", headline(task), task.ID)
}

// toEnd waits for the end of a task, prints it and answers exit code 1 unless it completed.
func (w *waiting) toEnd(ctx context.Context, c *console, client *sdk.Client, task *sdk.Task) error {
	done, err := w.wait(ctx, c, client, task)
	if err != nil {
		return err
	}
	return w.ended(c, done.Err(), func() error { return c.show(done) })
}

// ended prints an end that was waited for, unless --follow --json has done so, and answers exit code 1 where it is a failure.
func (w *waiting) ended(c *console, failure error, show func() error) error {
	if !w.follow || !c.json {
		if err := show(); err != nil {
			return err
		}
	}
	if failure != nil {
		return &exitError{code: exitFailed}
	}
	return nil
}

// screen shows a task that is waited for: a bar on a terminal, lines with --follow, one JSON line a change with --json.
type screen struct {
	*console
	follow bool
	shown  *sdk.Task
	drawn  bool // the bar is on the terminal
	output output
}

// look is one answer of the service, a piece of the agent's output, or why there are no more.
type look struct {
	update sdk.TaskUpdate
	output *sdk.TaskOutput
	err    error
}

func (s *screen) watch(ctx context.Context, client *sdk.Client, id string) (*sdk.Task, error) {
	ctx, cancel := context.WithCancel(ctx)
	looks := make(chan look)
	defer func() { // the goroutine below has ended before this returns
		cancel()
		for range looks {
		}
	}()
	go func() {
		defer close(looks)
		opts := []sdk.FollowOption{sdk.Pushed()}
		if s.follow && !s.json {
			opts = append(opts, sdk.LiveOutput(func(o sdk.TaskOutput) { looks <- look{output: &o} }))
		}
		for update, err := range client.TaskUpdates(ctx, id, opts...) {
			looks <- look{update: update, err: err}
		}
	}()
	clock := time.NewTicker(redraw)
	defer clock.Stop()
	for {
		select {
		case l, open := <-looks:
			if !open {
				return s.shown, s.clear()
			}
			if l.err != nil {
				return s.shown, joined(l.err, s.clear())
			}
			if err := s.take(l); err != nil {
				return s.shown, err
			}
		case <-clock.C:
			if err := s.draw(); err != nil {
				return s.shown, err
			}
		}
	}
}

// take shows what has come.
func (s *screen) take(l look) error {
	if l.output != nil {
		return s.lines(s.output.take(*l.output))
	}
	return s.tell(l.update)
}

// tell shows what has changed.
func (s *screen) tell(u sdk.TaskUpdate) error {
	before := s.shown
	s.shown = u.Task
	terminal := !s.json && s.width() > 0
	switch {
	case s.json && s.follow:
		return s.printLine(u.Task)
	case !terminal && (s.json || !s.follow):
		for _, l := range newQuestion(before, u.Task) {
			s.note("%s", l)
		}
		return nil
	}
	lines := changes(before, u)
	if terminal {
		lines = notable(before, u.Task)
	}
	if len(lines) > 0 || u.Task.Status.Terminal() {
		lines = append(s.output.rest(), lines...)
	}
	return s.lines(lines)
}

// lines prints lines, above the bar where there is one.
func (s *screen) lines(lines []string) error {
	if err := s.clear(); err != nil {
		return err
	}
	for _, l := range lines {
		if err := s.printf("%s\n", l); err != nil {
			return err
		}
	}
	return s.draw()
}

// draw draws the bar on a terminal while the task goes on.
func (s *screen) draw() error {
	width := s.width()
	if width == 0 || s.json || s.shown == nil || s.shown.Status.Terminal() {
		return nil
	}
	s.drawn = true
	return s.printf("\r%s\x1b[K", bar(s.shown, time.Now(), width))
}

// clear takes the bar off the terminal.
func (s *screen) clear() error {
	if !s.drawn {
		return nil
	}
	s.drawn = false
	return s.printf("\r\x1b[K")
}
