package eventlog

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

// storyTries is how often an append starts anew because another one wrote to the same story.
const storyTries = 5

// AppendStory keeps events that a workflow wrote, whose Seq numbers go up by one. What the log has already, by Seq, is left out, so
// that appending again, however late and from however many places, writes each once and in order. Events that would leave a gap
// are refused as a conflict: what is before them has to be appended first.
func (l *Log) AppendStory(ctx context.Context, project string, story Story, events []sdk.Event) error {
	p, err := l.project(project)
	if err != nil {
		return err
	}
	if err := checkStory(story, events); err != nil || len(events) == 0 {
		return err
	}
	if _, err := p.ensure(ctx); err != nil {
		return fault(err)
	}
	subject := storySubject(keptPrefix, project, story)
	end := storyEnd{} // a story that begins is taken for new at first, which saves a look
	if events[0].Seq > 1 {
		if end, err = p.endOf(ctx, subject); err != nil {
			return fault(err)
		}
	}
	for range storyTries {
		err = p.continueStory(ctx, subject, end, events)
		if !isMoved(err) {
			return fault(err)
		}
		if end, err = p.endOf(ctx, subject); err != nil {
			return fault(err)
		}
	}
	return unavailable("others write to the same story all the time; try again")
}

func checkStory(story Story, events []sdk.Event) error {
	if !story.valid() {
		return sdk.Errorf(sdk.CodeInternal, "a story of kind %q with the id %q", story.Kind, story.ID)
	}
	if len(events) > sdk.MaxEventBatch {
		return sdk.Errorf(sdk.CodeInternal, "%d events in one call; at most %d", len(events), sdk.MaxEventBatch)
	}
	for i, e := range events {
		if e.Seq < 1 || i > 0 && e.Seq != events[i-1].Seq+1 || !e.Type.Valid() {
			return sdk.Errorf(sdk.CodeInternal, "event %d of a story: type %q, seq %d", i, e.Type, e.Seq)
		}
	}
	return nil
}

// storyEnd is the last event of a story: its number in the story, and its position. Zero before the first.
type storyEnd struct {
	seq      int
	sequence uint64
}

// endOf looks for a story's end, where the stream is written.
func (p *project) endOf(ctx context.Context, subject string) (storyEnd, error) {
	s, err := p.find(ctx)
	if err != nil || s == nil {
		return storyEnd{}, err
	}
	m, err := lastMessage(ctx, s, subject)
	if err != nil || m == nil {
		p.lost(err)
		return storyEnd{}, err
	}
	seq, err := strconv.Atoi(m.Header.Get(headerSeq))
	if err != nil {
		return storyEnd{}, sdk.Errorf(sdk.CodeInternal, "message %d of the log has no number in its story", m.Sequence)
	}
	return storyEnd{seq: seq, sequence: m.Sequence}, nil
}

// continueStory writes those of the events that are not before end. It answers an isMoved error when end is not the end.
func (p *project) continueStory(ctx context.Context, subject string, end storyEnd, events []sdk.Event) error {
	if events[len(events)-1].Seq <= end.seq {
		return nil
	}
	if end.seq > 0 && events[0].Seq > end.seq+1 {
		return sdk.Errorf(sdk.CodeConflict, "the log has the story up to %d; %d cannot follow", end.seq, events[0].Seq)
	}
	w := newWrite()
	w.story = true
	for _, e := range events {
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
