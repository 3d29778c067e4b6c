package eventlog

import (
	"context"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

// storyTries is how often an append starts anew because another one wrote to the same story.
const storyTries = 5

// codeFamily is how the types begin of what may follow the completion of a task.
const codeFamily = "code."

// StoryPart is events of a story that go together into the log.
type StoryPart struct {
	Story  Story
	Events []sdk.Event // their Seq numbers go up by one
	// Acknowledged is up to which number the log has acknowledged the story before, as far as the caller knows. A story of which
	// retention has left nothing, and one that a log lacks which was restored from an older copy, goes on after it; without it, such a story
	// would have to be told from its beginning.
	Acknowledged int
}

// AppendStory keeps events that a workflow wrote. What the log has already, by Seq, is left out, so that appending again, however
// late and from however many places, writes each once and in order. Events that would leave a gap, at the beginning too, are refused
// as a conflict: what is before them has to be appended first. A story that has its terminal event is over: of what comes after it only
// the code.* that belongs to a completion is kept, the rest is left out as if the log had it.
func (l *Log) AppendStory(ctx context.Context, project string, part StoryPart) error {
	p, err := l.project(project)
	if err != nil {
		return err
	}
	if err := part.check(); err != nil || len(part.Events) == 0 {
		return err
	}
	if _, err := p.ensure(ctx); err != nil {
		return fault(ctx, err)
	}
	subject := storySubject(keptPrefix, project, part.Story)
	end := storyEnd{} // a story that begins is taken for new at first, which saves a look
	if part.Events[0].Seq > 1 {
		if end, err = p.endOf(ctx, subject); err != nil {
			return fault(ctx, err)
		}
	}
	for range storyTries {
		err = p.continueStory(ctx, subject, end, part)
		if !isMoved(err) {
			return fault(ctx, err)
		}
		if end, err = p.endOf(ctx, subject); err != nil {
			return fault(ctx, err)
		}
	}
	return unavailable("others write to the same story all the time; try again")
}

func (s StoryPart) check() error {
	if !s.Story.valid() {
		return sdk.Errorf(sdk.CodeInternal, "a story of kind %q with the id %q", s.Story.Kind, s.Story.ID)
	}
	if len(s.Events) > sdk.MaxEventBatch {
		return sdk.Errorf(sdk.CodeInternal, "%d events in one call; at most %d", len(s.Events), sdk.MaxEventBatch)
	}
	for i, e := range s.Events {
		if e.Seq < 1 || i > 0 && e.Seq != s.Events[i-1].Seq+1 || !e.Type.Valid() {
			return sdk.Errorf(sdk.CodeInternal, "event %d of a story: type %q, seq %d", i, e.Type, e.Seq)
		}
	}
	return nil
}

// storyEnd is the last event of a story: its number in the story, its type, and its position. Zero before the first.
type storyEnd struct {
	seq      int
	of       sdk.EventType
	sequence uint64
}

// endOf looks for a story's end, where the stream is written.
func (p *project) endOf(ctx context.Context, subject string) (storyEnd, error) {
	r, err := p.log.look(ctx, streamName(p.id), ask{Last: subject})
	p.lost(err)
	if isGone(err) || err == nil && r == nil {
		return storyEnd{}, nil
	}
	if err != nil {
		return storyEnd{}, err
	}
	if r.number == 0 {
		return storyEnd{}, sdk.Errorf(sdk.CodeInternal, "message %d of the log has no number in its story", r.Sequence)
	}
	return storyEnd{seq: r.number, of: r.Type, sequence: r.Sequence}, nil
}

// continueStory writes those of the events that are not before end. It answers an isMoved error when end is not the end.
func (p *project) continueStory(ctx context.Context, subject string, end storyEnd, part StoryPart) error {
	first, last := part.Events[0].Seq, part.Events[len(part.Events)-1].Seq
	if last <= end.seq {
		return nil
	}
	if end.over() && !end.goesOn(part) {
		return nil
	}
	told := end.seq
	if part.Acknowledged > told {
		told = part.Acknowledged
		if end.seq > 0 {
			p.log.log.Warn("the event log lacks events that it has acknowledged; a story goes on after them",
				"project", p.id, "story", part.Story.ID, "acknowledged", told, "has", end.seq)
		}
	}
	if first > told+1 {
		return sdk.Errorf(sdk.CodeConflict, "the log has the story up to %d; %d cannot follow", end.seq, first)
	}
	w := newWrite()
	w.story = true
	for _, e := range part.Events {
		if e.Seq <= end.seq {
			continue
		}
		m, err := encode(subject, e)
		if err != nil {
			return err
		}
		if len(w.msgs) == 0 {
			m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(end.sequence, 10))
		}
		w.add(m)
	}
	_, err := p.append(ctx, w)
	return err
}

// Tell is [Log.AppendStory] for who knows a kind as text.
func (l *Log) Tell(ctx context.Context, project, kind, id string, acknowledged int, events []sdk.Event) error {
	return l.AppendStory(ctx, project, StoryPart{Story: Story{Kind: Kind(kind), ID: id}, Events: events, Acknowledged: acknowledged})
}

// over reports whether the story has had its terminal event.
func (e storyEnd) over() bool {
	switch e.of {
	case sdk.EventTaskCompleted, sdk.EventTaskFailed, sdk.EventTaskCancelled, sdk.EventSessionClosed,
		sdk.EventPlanCompleted, sdk.EventPlanFailed, sdk.EventPlanCancelled:
		return true
	default:
		return strings.HasPrefix(string(e.of), codeFamily)
	}
}

// goesOn reports whether the part has the event that may follow a completion: the story's own code.*.
func (e storyEnd) goesOn(part StoryPart) bool {
	last := part.Events[len(part.Events)-1]
	return e.of == sdk.EventTaskCompleted && last.Seq == e.seq+1 && strings.HasPrefix(string(last.Type), codeFamily)
}
