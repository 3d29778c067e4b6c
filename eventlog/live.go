package eventlog

import (
	"context"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Announce gives an event of a story to those who follow now, and keeps nothing. It does not wait for anybody.
func (l *Log) Announce(project string, story Story, e sdk.Event) error {
	if _, err := l.project(project); err != nil {
		return err
	}
	if err := checkAnnouncement(story, e); err != nil {
		return err
	}
	m, err := encode(storySubject(livePrefix, project, story), e)
	if err != nil {
		return err
	}
	return fault(context.Background(), l.nc.PublishMsg(m))
}

func checkAnnouncement(story Story, e sdk.Event) error {
	if !story.valid() || !e.Type.Valid() || e.Seq != 0 {
		return sdk.Errorf(sdk.CodeInternal, "an announcement of type %q of the story %q, %q", e.Type, story.Kind, story.ID)
	}
	return nil
}
