package activities

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/rolecall-dev/rolecall/sdk"
)

// StoryLog is where stories are kept.
type StoryLog interface {
	// Tell keeps events that a workflow wrote, in order and each once: what the log has already, by seq, is left out. A gap is a conflict.
	// acknowledged is up to which seq the log has acknowledged the story before, as far as the caller knows.
	Tell(ctx context.Context, project, kind, id string, acknowledged int, events []sdk.Event) error
}

const (
	breakerRest = 10 * time.Second       // for which the log is taken to be away after a failure, unless it is found to be back
	quick       = 100 * time.Millisecond // within which it has to answer, else it is away for local activities, which have 150 ms
)

// Publisher serves the activities that publish. It is safe for concurrent use.
type Publisher struct {
	Stories StoryLog                    // nil: nothing is kept, and everything is acknowledged
	Before  func(sdk.Event) sdk.Event   // changes an event before it is kept, the same one always in the same way; may be nil
	After   func(in PublishEventsInput) // is told what was kept, before that is acknowledged; for tests; may be nil

	mu   sync.Mutex
	away time.Time // until when the log is taken to be away
}

// PublishEventsLocally is [PublishEventsLocallyName].
func (p *Publisher) PublishEventsLocally(ctx context.Context, in PublishEventsInput) error {
	if p.isAway() {
		return sdk.Errorf(sdk.CodeUnavailable, "the event log failed or was slow a moment ago")
	}
	return p.publish(ctx, in, p.noteLocal)
}

// PublishEvents is [PublishEventsName].
func (p *Publisher) PublishEvents(ctx context.Context, in PublishEventsInput) error {
	return p.publish(ctx, in, p.note)
}

func (p *Publisher) publish(ctx context.Context, in PublishEventsInput, note func(error, time.Duration)) error {
	if p.Stories == nil || len(in.Events) == 0 {
		return nil
	}
	if !sdk.ValidProject(in.Project) || !sdk.ValidID(in.ID) {
		warn(ctx, "a run that no client of ours would have started has no story", "kind", in.Kind)
		return nil
	}
	began := time.Now()
	err := p.tellAll(ctx, in)
	note(err, time.Since(began))
	if err != nil {
		return err
	}
	if p.After != nil {
		p.After(in)
	}
	return nil
}

func (p *Publisher) tellAll(ctx context.Context, in PublishEventsInput) error {
	events := slices.Clone(in.Events) // a local activity's argument is the workflow's own
	for i, e := range events {
		if p.Before != nil {
			e = p.Before(e)
		}
		events[i] = Kept(e)
	}
	err := p.tell(ctx, in, events)
	if _, refused := refusal(err); !refused {
		return err
	}
	// One of them can not be kept as it is: it is found by telling each alone.
	for i := range events {
		if err := p.tellOne(ctx, in, events[i]); err != nil {
			return err
		}
	}
	return nil
}

// tellOne tells an event; one that the log refuses for good is told without its data.
func (p *Publisher) tellOne(ctx context.Context, in PublishEventsInput, e sdk.Event) error {
	err := p.tell(ctx, in, []sdk.Event{e})
	code, refused := refusal(err)
	if !refused || e.Data == nil {
		return err
	}
	warn(ctx, "the event log refused an event's data", "task", e.Task, "type", e.Type, "seq", e.Seq, "code", code)
	return p.tell(ctx, in, []sdk.Event{withoutData(e, code)})
}

func (p *Publisher) tell(ctx context.Context, in PublishEventsInput, events []sdk.Event) error {
	return p.Stories.Tell(ctx, in.Project, in.Kind, in.ID, in.Acknowledged, events)
}

// Kept is e as the log keeps it: one whose data is too large, as it may be once it is redacted, goes without and says so.
func Kept(e sdk.Event) sdk.Event {
	if len(e.Data) > sdk.MaxEventData {
		return withoutData(e, sdk.CodePayloadTooLarge)
	}
	return e
}

func withoutData(e sdk.Event, why sdk.Code) sdk.Event {
	e.Data, e.DataContentType, e.Dropped = nil, "", why
	return e
}

// refusal reports whether an error is the log's last word on what it was given, and its code. Anything else may be tried again: a log
// that is away, full or broken loses no data.
func refusal(err error) (sdk.Code, bool) {
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok || e.Code != sdk.CodePayloadTooLarge && e.Code != sdk.CodeInvalidInput {
		return "", false
	}
	return e.Code, true
}

func (p *Publisher) isAway() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.away)
}

// noteLocal learns from how the try of a local activity ended. A log that kept the events and took long for it is away too: else it would
// hold up every workflow task for as long.
func (p *Publisher) noteLocal(err error, took time.Duration) {
	if err == nil && took >= quick {
		err = context.DeadlineExceeded
	}
	p.note(err, took)
}

// note learns from how a try ended: the log is away where it did not answer, or said so, and back once it answers quickly. One that is
// slow stays away, else every local activity would wait for it in vain. What a project alone is refused says nothing of the log.
func (p *Publisher) note(err error, took time.Duration) {
	e, answered := errors.AsType[*sdk.Error](err)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil && took < quick:
		p.away = time.Time{}
	case err == nil:
	case !answered || e.Code == sdk.CodeUnavailable:
		p.away = time.Now().Add(breakerRest)
	}
}

// warn logs as the worker does.
func warn(ctx context.Context, message string, fields ...any) {
	if activity.IsActivity(ctx) {
		activity.GetLogger(ctx).Warn(message, fields...)
	}
}
