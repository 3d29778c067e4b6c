package conformance

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// story reads the events of a task to its end, and what was done by it.
func (s *scene) story(task *sdk.Task) []sdk.Event {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	list := []sdk.Event{}
	for e, err := range s.client.TaskEvents(ctx, task.ID) {
		s.do(err)
		list = append(list, *e)
	}
	return list
}

// tells compares a task's story with the one in the file, both masked.
func (s *scene) tells(file string, task *sdk.Task) {
	s.Helper()
	if task.Links.Events == "" {
		s.Error("the task has no link to its events")
	}
	told, project := s.story(task), s.client.Config().ProjectID
	for i, e := range told {
		if e.Seq != i+1 || e.Source != "/projects/"+project+"/tasks/"+task.ID || e.Sequence == "" || e.Time.IsZero() || e.Project != project {
			s.Errorf("event %d is of another story, or has no place: %+v", i+1, e)
		}
	}
	raw, err := json.Marshal(told)
	s.do(err)
	s.maskedStory(file, []byte(strings.ReplaceAll(string(raw), task.ID, "ID")))
}

// maskedStory compares events with those in the file, as JSON without what differs from run to run.
func (s *scene) maskedStory(file string, raw []byte) {
	s.Helper()
	var tree []any
	s.do(json.Unmarshal(raw, &tree))
	for _, item := range tree {
		if e, ok := item.(map[string]any); ok {
			e["sequence"], e["time"], e["project"], e["source"] = "SEQUENCE", "TIME", "PROJECT", "SOURCE"
		}
	}
	mask(tree)
	out, err := json.MarshalIndent(tree, "", "  ")
	s.do(err)
	s.same(file, append(out, '\n'))
}
