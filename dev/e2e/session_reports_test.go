package e2e_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// reports are what the agents of a session report, attempt by attempt, in order. The stream has of each attempt some of them in their order: one
// that is followed at once by the next may be left out, the last may not.
type reports struct {
	t        *testing.T
	attempts [][]sdk.Progress
	task     sdk.SessionPayload // the one that has its turn, as its start told it
	at       int                // of attempts, the one that goes on, counted from 1
	next     int                // of its reports, the one that may come next
	newest   sdk.SessionPayload
}

// besides looks at an event of the stream, and tells whether it is a progress: see wantBut.
func (r *reports) besides(e sdk.SessionEvent) bool {
	r.t.Helper()
	switch e.Type {
	case sdk.TaskStartEvent:
		r.task = e.Payload
		r.begin()
	case sdk.TaskCompleteEvent:
		r.end()
	case sdk.TaskErrorEvent:
		r.end()
		if e.Payload.Operation != "" || e.Payload.Fallback { // another one follows
			r.begin()
		}
	case sdk.TaskProgressEvent:
		r.take(e.Payload)
		return true
	default:
	}
	return false
}

func (r *reports) begin() { r.at, r.next = r.at+1, 0 }

// now are the reports of the attempt that goes on.
func (r *reports) now() []sdk.Progress {
	r.t.Helper()
	if r.at < 1 || r.at > len(r.attempts) {
		r.t.Fatalf("attempt %d of the session: there are to be %d", r.at, len(r.attempts))
	}
	return r.attempts[r.at-1]
}

func (r *reports) end() {
	r.t.Helper()
	if now := r.now(); r.next != len(now) {
		r.t.Errorf("attempt %d of the session ended after its report %d of %d", r.at, r.next, len(now))
	}
}

// take looks for a progress among those that may come, and compares every field.
func (r *reports) take(got sdk.SessionPayload) {
	r.t.Helper()
	r.newest = got
	now := r.now()
	for i := r.next; i < len(now); i++ {
		if cmp.Equal(r.payload(now[i]), got) {
			r.next = i + 1
			return
		}
	}
	var may []sdk.SessionPayload
	for _, p := range now[min(r.next, len(now)):] {
		may = append(may, r.payload(p))
	}
	r.t.Errorf("attempt %d of the session: a progress that is none of those to come (-want one of +got):\n%s", r.at, cmp.Diff(may, []sdk.SessionPayload{got}))
}

// payload is a report as the stream has it.
func (r *reports) payload(p sdk.Progress) sdk.SessionPayload {
	return sdk.SessionPayload{
		TaskID: r.task.TaskID, TaskType: r.task.TaskType, Category: p.Category, Tool: p.Tool, Message: p.Message,
		Progress: &sdk.SessionProgress{Phase: p.Phase, Percentage: p.Percentage, Delta: p.Delta},
	}
}

// spoken is what a model reports that says a text in these pieces.
func spoken(pieces ...string) (list []sdk.Progress) {
	for _, piece := range pieces {
		list = append(list, sdk.Progress{Category: "message", Phase: "Processing", Delta: piece})
	}
	return append(list, sdk.Progress{Category: "message", Phase: "Processing", Message: strings.Join(pieces, "")})
}

// thinking is what is reported before a model says anything.
func thinking() sdk.Progress { return sdk.Progress{Category: "session", Phase: "Thinking"} }

// piFails is what the recording http500 reports: pi asks its model again and again, and gives up.
func piFails() []sdk.Progress {
	list := []sdk.Progress{{Category: "session", Phase: "Started"}, thinking()}
	for _, message := range []string{"retry 1 of 3 in 2s", "retry 2 of 3 in 4s", "retry 3 of 3 in 8s"} {
		list = append(list, sdk.Progress{Category: "error", Phase: "Retrying", Message: message + ": 500 scripted failure"}, thinking())
	}
	return list
}

// piWrites is what the recording write reports: pi says what it will do, calls a tool and sums up.
func piWrites() []sdk.Progress {
	list := append([]sdk.Progress{{Category: "session", Phase: "Started"}, thinking()}, spoken("I ", "will ", "write ", "the ", "file.")...)
	list = append(list,
		sdk.Progress{Category: "tool_call", Phase: "Calling write", Tool: "write", Message: "hello.txt"},
		sdk.Progress{Category: "tool_result", Phase: "Result from write", Tool: "write"}, thinking())
	return append(list, spoken("Done. ", "Quality ", "gate: ", "passed.\n", "- ", "Keep ", "inputs ", "validated\n", "- ", "Follow-up: ", "add ", "tests ", "for ", "ep-041x")...)
}
