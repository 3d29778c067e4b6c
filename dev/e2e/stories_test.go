package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// follower notes what a stream of a project, or its replay, answers.
type follower struct {
	s *scene

	mu     sync.Mutex
	events []*sdk.Event
	err    error
}

// follow follows the scene's project until the test ends; what the filter chooses from now on is noted.
func (s *scene) follow(filter sdk.EventFilter) *follower {
	s.t.Helper()
	f := &follower{s: s}
	unsubscribe, err := s.client.SubscribeFunc(s.t.Context(), filter, func(e *sdk.Event, err error) {
		if err != nil {
			f.mu.Lock()
			f.err = err
			f.mu.Unlock()
			return
		}
		f.take(e)
	})
	s.do(err)
	s.t.Cleanup(unsubscribe)
	return f
}

// take notes an event that is kept: heartbeats of agents are not.
func (f *follower) take(e *sdk.Event) {
	if e.Sequence == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

// story is a task's events in the order in which they came.
func (f *follower) story(id string) (list []*sdk.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		if e.Task == id {
			list = append(list, e)
		}
	}
	return list
}

// sequences are those of all events in the order in which they came.
func (f *follower) sequences() (list []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		list = append(list, e.Sequence)
	}
	return list
}

// ofTasks are the sequences of the events of tasks.
func (f *follower) ofTasks() (list []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		if e.Task != "" {
			list = append(list, e.Sequence)
		}
	}
	return list
}

// wantStories waits until the stories of the tasks have ended, and looks at each: every seq once and in order, one terminal event, and
// nothing but what follows from it after it. The sequences only grow.
func (f *follower) wantStories(ids []string) {
	f.s.t.Helper()
	f.s.eventually("the end of every story", patience, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		open := map[string]bool{}
		for _, id := range ids {
			open[id] = true
		}
		for _, e := range f.events {
			if terminal(e.Type) {
				delete(open, e.Task)
			}
		}
		if f.err != nil && !errors.Is(f.err, context.Canceled) {
			return fmt.Errorf("the stream ended: %w", f.err)
		}
		if len(open) > 0 {
			return fmt.Errorf("%d of %d have none", len(open), len(ids))
		}
		return nil
	})
	for _, id := range ids {
		if err := whole(f.story(id)); err != nil {
			f.s.t.Errorf("the story of %s: %v", id, err)
		}
	}
	if list := f.sequences(); !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
		f.s.t.Errorf("the sequences are not in order, or one came twice: %v", list)
	}
}

func terminal(t sdk.EventType) bool {
	return t == sdk.EventTaskCompleted || t == sdk.EventTaskFailed || t == sdk.EventTaskCancelled
}

// whole returns nil when a story that has ended misses nothing and says nothing twice.
func whole(story []*sdk.Event) error {
	ends := 0
	for i, e := range story {
		switch {
		case e.Seq != i+1:
			return fmt.Errorf("seq %d, a %s, is number %d", e.Seq, e.Type, i+1)
		case (i == 0) != (e.Type == sdk.EventTaskCreated):
			return fmt.Errorf("%s is number %d", e.Type, i+1)
		case ends > 0 && !workflows.EndsStory(e.Type):
			return fmt.Errorf("%s comes after the end", e.Type)
		case terminal(e.Type):
			ends++
		}
	}
	if ends != 1 {
		return fmt.Errorf("it has %d ends", ends)
	}
	return nil
}

// logAnswers returns nil when the API reads from the event log.
func (s *scene) logAnswers(ctx context.Context) error {
	_, err := s.client.ListEvents(ctx, sdk.EventFilter{Limit: 1}, "")
	return err
}

// decodeStrictly decodes JSON that has no fields but those of v.
func decodeStrictly(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// send sends a request with a body of its own.
func (s *scene) send(method, path, key, contentType, body string) (status int, answer string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.stack.URL()+path, strings.NewReader(body))
	s.do(err)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	s.do(err)
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	s.do(errors.Join(err, resp.Body.Close()))
	return resp.StatusCode, string(raw)
}
