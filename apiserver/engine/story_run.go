package engine

import (
	"context"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// runEnd is the run of a session or a plan whose story is to end.
type runEnd struct {
	runHead
	// publishing reports whether a run still brings its last events into the log.
	publishing func(context.Context) (bool, error)
	// events finds out what is to follow the last event of the story.
	events func(context.Context) (func(eventlog.LastEvent) []sdk.Event, error)
}

// endRun ends the story of a session or a plan, which what says, unless it goes on, or its own side may still do so, which later says. ends
// knows its last event, and of looks at its run, of a story that the log does not have the end of.
func (e *Engine) endRun(
	c closedRun, what string, ends func(sdk.EventType) bool, of func(context.Context) (runEnd, error),
) (later bool, err error) {
	if _, over := e.stories.over.get(c.runID); over && c.runID != "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(e.life, storyTimeout)
	defer cancel()
	story := eventlog.Story{Kind: c.kind, ID: c.id}
	last, err := e.cfg.Events.LastOf(ctx, c.project, story)
	if err != nil {
		return false, fault(err)
	}
	if ends(last.Type) {
		e.storyOver(c.runID)
		return false, nil
	}
	seen, err := of(ctx)
	if err != nil || seen.isOpen() || c.runID != "" && seen.runID != c.runID { // another run has taken its place
		return false, unlessGone(err)
	}
	if !endedOutside(seen.status) {
		if time.Since(seen.closed) < storyRest {
			return true, nil
		}
		if left, err := seen.publishing(ctx); left || err != nil {
			return true, unlessGone(err)
		}
	}
	rest, err := seen.events(ctx)
	if err != nil {
		return false, fault(err)
	}
	n, err := e.cfg.Events.EndStory(ctx, c.project, story, rest)
	if err != nil {
		return false, fault(err)
	}
	c.runID = seen.runID
	e.tellEnded(what, c, n)
	e.storyOver(c.runID)
	return false, nil
}

// storyOver keeps that the story of a run is over; where it is not known which run that is, there is nothing to keep.
func (e *Engine) storyOver(runID string) {
	if runID != "" {
		e.stories.over.put(runID, struct{}{}, storySize, time.Now())
	}
}

// unlessGone is an error, unless it is that there is no such run any more.
func unlessGone(err error) error {
	if err == nil || fault(err).Code == sdk.CodeNotFound {
		return nil
	}
	return fault(err)
}
