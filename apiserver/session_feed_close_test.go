package apiserver

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func namesOf(frames []frame) string {
	var names []string
	for _, f := range frames {
		names = append(names, f.event)
	}
	return strings.Join(names, " ")
}

// some reads so many events.
func (s *streaming) some(n int) (frames []frame) {
	s.t.Helper()
	for range n {
		frames = append(frames, s.mustNext())
	}
	return frames
}

// placed gives each frame its position: that of the one before where it has none of its own, as a browser does.
func placed(from string, frames []frame) []frame {
	for i := range frames {
		if frames[i].id == "" {
			frames[i].id = from
		}
		from = frames[i].id
	}
	return frames
}

// TestSessionStreamOfAnEarlyClose: the log has a session's close before the end of its last task, as when it was away. The reader is told of
// both, the close last, also one who goes on from any event before, and one who was cut off between them.
func TestSessionStreamOfAnEarlyClose(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	s := h.session.ID
	live := h.stream(t).begun()
	h.tells(t, s, "", sdk.EventSessionStarted, `{}`)
	h.tells(t, s, "first", sdk.EventTaskCreated, `{"type":"execute"}`)
	h.tells(t, s, "first", sdk.EventTaskCompleted, `{"type":"execute"}`)
	h.tells(t, s, "mine", sdk.EventTaskCreated, `{"type":"execute"}`)
	begun := live.some(4)
	h.tells(t, s, "", sdk.EventSessionClosed, `{}`)
	var cut []*streaming // who goes on while the close is put off
	for _, f := range begun {
		cut = append(cut, h.stream(t, headerLastEventID, f.id).begun())
	}
	h.tells(t, s, "mine", sdk.EventTaskProgress, `{"percentage":30}`)
	between := live.some(1)
	h.tells(t, s, "mine", sdk.EventTaskCompleted, `{"type":"execute"}`)
	if between[0].id != "" {
		t.Errorf("what is told in place of the close comes with %s, which was told before", between[0].id)
	}
	whole := placed("", append(append(begun, between...), live.toTheEnd()...))
	if got := namesOf(whole); got != "session_start task_start task_complete task_start task_progress task_complete session_close" {
		t.Fatal(got)
	}
	if whole[4].id >= whole[6].id || whole[4].id != whole[5].id || whole[3].id != whole[4].id {
		t.Errorf("after the close: %s, %s, %s, %s", whole[3].id, whole[4].id, whole[5].id, whole[6].id)
	}
	if diff := cmp.Diff(whole, placed("", h.stream(t).begun().toTheEnd()), cmp.AllowUnexported(frame{})); diff != "" {
		t.Errorf("afterwards: %s", diff)
	}
	for i, st := range cut {
		for _, st := range []*streaming{st, h.stream(t, headerLastEventID, whole[i].id).begun()} {
			if diff := cmp.Diff(whole[i+1:], placed(whole[i].id, st.toTheEnd()), cmp.AllowUnexported(frame{})); diff != "" {
				t.Errorf("after %s: %s", whole[i].event, diff)
			}
		}
	}
	again := placed(whole[4].id, h.stream(t, headerLastEventID, whole[4].id).begun().toTheEnd())
	if diff := cmp.Diff(whole[4:], again, cmp.AllowUnexported(frame{})); diff != "" {
		t.Errorf("between the two: %s", diff)
	}
	h.stream(t, headerLastEventID, whole[6].id).want(http.StatusNoContent)

	client, err := sdk.NewClient(sdk.Config{URL: h.url, APIKey: strings.TrimPrefix(bearing(h.shop)[1], "Bearer ")})
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.Session(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for e, err := range session.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if told = append(told, string(e.Type)); e.Sequence != whole[len(told)-1].id {
			t.Errorf("%s is at %s, want %s", e.Type, e.Sequence, whole[len(told)-1].id)
		}
	}
	if got := strings.Join(told, " "); got != namesOf(whole) {
		t.Errorf("the client is told of %s", got)
	}
}

// TestSessionStreamOfATaskWithoutEnd: the close waits for a task's end no longer than the server has patience.
func TestSessionStreamOfATaskWithoutEnd(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	h.server.times.heartbeat, h.server.times.patience = 50*time.Millisecond, 200*time.Millisecond
	h.tells(t, h.session.ID, "", sdk.EventSessionStarted, `{}`)
	h.tells(t, h.session.ID, "mine", sdk.EventTaskCreated, `{"type":"execute"}`)
	began := time.Now()
	h.tells(t, h.session.ID, "", sdk.EventSessionClosed, `{}`)
	var names []string
	for _, f := range h.stream(t).begun().toTheEnd() {
		if f.event != "" {
			names = append(names, f.event)
		}
	}
	if got := strings.Join(names, " "); got != "session_start task_start session_close" || time.Since(began) < 200*time.Millisecond {
		t.Errorf("%s after %s", got, time.Since(began))
	}
}
