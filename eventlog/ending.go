package eventlog

import (
	"context"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Story is the story that a record is an event of; false for what callers publish.
func (r *Record) Story() (Story, bool) {
	parts := strings.SplitN(r.subject, ".", 4)
	if len(parts) != 4 {
		return Story{}, false
	}
	s := Story{Kind: Kind(parts[2]), ID: parts[3]}
	return s, s.valid()
}

// LastEvent is the last event of a story: its number within the story, and its type.
type LastEvent struct {
	Seq  int // 0 where the log has none
	Type sdk.EventType
	// Oldest is, where the log has none, since when the log has everything it took of the project; zero is since ever.
	Oldest time.Time
	// Began is, where the log has none, since when the log takes events of the project; zero where it has not taken any.
	Began time.Time
}

// EndStory tells the rest of a story whose own writer does not any more. rest answers what follows the last event, numbered on from
// it, or nothing; it is asked anew where others write to the story meanwhile, so that of several that end a story at once one does. The
// answer is how many events were written.
func (l *Log) EndStory(ctx context.Context, project string, story Story, rest func(LastEvent) []sdk.Event) (int, error) {
	p, err := l.project(project)
	if err != nil {
		return 0, err
	}
	if err := (Filter{Story: &story}).check(); err != nil {
		return 0, err
	}
	subject := storySubject(keptPrefix, project, story)
	for range storyTries {
		last, end, err := p.lastOf(ctx, subject)
		if err != nil {
			return 0, fault(ctx, err)
		}
		part := StoryPart{Story: story, Events: rest(last), Acknowledged: last.Seq}
		if err := part.check(); err != nil || len(part.Events) == 0 {
			return 0, err
		}
		if part.Events[0].Seq != last.Seq+1 {
			return 0, sdk.Errorf(sdk.CodeInternal, "event %d of a story that has %d", part.Events[0].Seq, last.Seq)
		}
		if err = p.continueStory(ctx, subject, end, part); !isMoved(err) {
			if err != nil {
				return 0, fault(ctx, err)
			}
			return len(part.Events), nil
		}
	}
	return 0, unavailable("others write to the same story all the time; try again")
}

// lastOf looks for a story's last event, where the stream is written.
func (p *project) lastOf(ctx context.Context, subject string) (LastEvent, storyEnd, error) {
	r, err := p.log.look(ctx, streamName(p.id), ask{Last: subject})
	p.lost(err)
	if isGone(err) {
		return LastEvent{}, storyEnd{}, nil
	}
	if err == nil && r == nil {
		oldest, began, err := p.oldest(ctx)
		return LastEvent{Oldest: oldest, Began: began}, storyEnd{}, err
	}
	if err != nil {
		return LastEvent{}, storyEnd{}, err
	}
	if r.number == 0 {
		return LastEvent{}, storyEnd{}, sdk.Errorf(sdk.CodeInternal, "message %d of the log has no number in its story", r.Sequence)
	}
	return LastEvent{Seq: r.number, Type: r.Type}, storyEnd{seq: r.number, sequence: r.Sequence}, nil
}

// oldest is since when nothing of what the log took was removed; zero is since ever. began is since when it takes events; zero is not yet.
func (p *project) oldest(ctx context.Context) (oldest, began time.Time, err error) {
	s, err := p.find(ctx)
	if err != nil || s == nil {
		return time.Time{}, time.Time{}, err
	}
	e, err := p.log.extent(ctx, s)
	if p.lost(err); err != nil || e.first <= 1 {
		if isGone(err) {
			err = nil
		}
		return time.Time{}, e.created, err
	}
	r, err := p.log.look(ctx, streamName(p.id), ask{From: e.first, Next: everything(p.id)})
	if err != nil || r == nil {
		return time.Now(), e.created, err
	}
	return r.at, e.created, nil
}
