package sdk_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestSessionEventsOutOfPlaceAreToldOnce: those of a task that ends in the log after its session's close come without a place of their own, and
// once more on every stream that is opened meanwhile. Two that are the same in everything are two.
func TestSessionEventsOutOfPlaceAreToldOnce(t *testing.T) {
	t.Parallel()
	frame := func(place string, kind sdk.SessionEventType, task, message string) string {
		raw, err := json.Marshal(sdk.SessionEvent{Type: kind, Timestamp: 1, Payload: sdk.SessionPayload{TaskID: task, Message: message, SessionID: "s1"}})
		if err != nil {
			t.Fatal(err)
		}
		if place != "" {
			place = "id: " + place + "\n"
		}
		return fmt.Sprintf("%sevent: %s\ndata: %s\n\n", place, kind, raw)
	}
	more := frame("", sdk.TaskStartEvent, "a", "") + frame("", sdk.TaskProgressEvent, "a", "same") + frame("", sdk.TaskProgressEvent, "a", "same")
	l := &eventLog{
		stream: func(n int, s *stream) {
			s.begin()
			switch n {
			case 0:
				s.write(frame("1", sdk.SessionStartEvent, "", "") + frame("5", sdk.TaskStartEvent, "b", "") + more)
				s.cut()
			case 1:
				s.write(more + frame("", sdk.TaskProgressEvent, "a", "other"))
				s.cut()
			default:
				s.write(more + frame("", sdk.TaskProgressEvent, "a", "other") + frame("", sdk.TaskProgressEvent, "a", "same"))
				s.write(frame("", sdk.TaskCompleteEvent, "a", "") + frame("9", sdk.SessionCloseEvent, "", ""))
			}
		},
		other: func(w http.ResponseWriter, _ *http.Request) {
			if err := json.NewEncoder(w).Encode(sdk.Session{ID: "s1", Status: sdk.SessionOpen}); err != nil {
				panic(http.ErrAbortHandler)
			}
		},
	}
	var got []string
	for e, err := range held(t, l.serve(t)).Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join([]string{string(e.Type), e.Payload.TaskID, e.Payload.Message, strings.TrimLeft(e.Sequence, "0")}, " "))
	}
	want := []string{
		"session_start   1", "task_start b  5", "task_start a  5", "task_progress a same 5", "task_progress a same 5", "task_progress a other 5",
		"task_progress a same 5", "task_complete a  5", "session_close   9",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
