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
	return 0, sdk.Errorf(sdk.CodeRateLimited, "others write to the same story all the time; try again")
}

// LastOf answers the last event of a story.
func (l *Log) LastOf(ctx context.Context, project string, story Story) (LastEvent, error) {
	p, err := l.project(project)
	if err != nil {
		return LastEvent{}, err
	}
	if err := (Filter{Story: &story}).check(); err != nil {
		return LastEvent{}, err
	}
	last, _, err := p.lastOf(ctx, storySubject(keptPrefix, project, story))
	return last, fault(ctx, err)
}

// lastOf looks for a story's last event, where the stream is written.
func (p *project) lastOf(ctx context.Context, subject string) (LastEvent, storyEnd, error) {
	r, err := p.log.look(ctx, streamName(p.id), ask{Last: subject})
	p.lost(err)
	if isGone(err) {
		return LastEvent{}, storyEnd{}, nil
	}
	if err == nil && r == nil {
		h, err := p.holding(ctx)
		return LastEvent{Oldest: h.oldest, Began: h.began}, storyEnd{}, err
	}
	if err != nil {
		return LastEvent{}, storyEnd{}, err
	}
	if r.number == 0 {
		return LastEvent{}, storyEnd{}, sdk.Errorf(sdk.CodeInternal, "message %d of the log has no number in its story", r.Sequence)
	}
	return LastEvent{Seq: r.number, Type: r.Type}, storyEnd{seq: r.number, sequence: r.Sequence}, nil
}

// Oldest answers since when a project's log has everything that it took, and the first event that it has; the zero time is since ever.
func (l *Log) Oldest(ctx context.Context, project string) (since time.Time, first uint64, err error) {
	p, err := l.project(project)
	if err != nil {
		return time.Time{}, 0, err
	}
	h, err := p.holding(ctx)
	return h.oldest, h.first, fault(ctx, err)
}

// holding is what a log has of what it took.
type holding struct {
	oldest time.Time // since when nothing was removed; zero is since ever
	began  time.Time // since when it takes events; zero is not yet
	first  uint64    // the first event, or the next one where it is empty
}

func (p *project) holding(ctx context.Context) (holding, error) {
	s, err := p.find(ctx)
	if err != nil || s == nil {
		return holding{first: 1}, err
	}
	e, err := p.log.extent(ctx, s)
	h := holding{began: e.created, first: max(e.first, 1)}
	if p.lost(err); err != nil || e.first <= 1 {
		if isGone(err) {
			err = nil
		}
		return h, err
	}
	r, err := p.log.look(ctx, streamName(p.id), ask{From: e.first, Next: everything(p.id)})
	if err != nil || r == nil {
		h.oldest = time.Now()
		return h, err
	}
	h.oldest, h.first = r.at, r.Sequence
	return h, nil
}
