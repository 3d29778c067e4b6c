package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// reports are what the agents of a session report, attempt by attempt, in order. These agents make no percentages up: the stream has that of the
// category. Of each attempt it has some of the reports, in their order: one that is followed at once by the next may be left out, the last may not.
type reports struct {
	t        *testing.T
	attempts [][]sdk.Progress
	task     sdk.SessionPayload   // the one that has its turn, as its start told it
	at       int                  // of attempts, the one that goes on, counted from 1
	told     []sdk.SessionPayload // of its reports
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
		r.told, r.newest = append(r.told, e.Payload), e.Payload
		return true
	default:
	}
	return false
}

func (r *reports) begin() { r.at, r.told = r.at+1, nil }

// end compares what was told of the attempt with what its agent reported, field by field.
func (r *reports) end() {
	r.t.Helper()
	if r.at < 1 || r.at > len(r.attempts) {
		r.t.Fatalf("attempt %d of the session: there are to be %d", r.at, len(r.attempts))
	}
	var reported []sdk.SessionPayload
	for _, p := range r.attempts[r.at-1] {
		reported = append(reported, r.payload(p))
	}
	if len(r.told) == 0 {
		r.t.Errorf("attempt %d of the session has no progress, want its last at least: %+v", r.at, reported)
		return
	}
	last, before := len(reported)-1, len(r.told)-1
	if diff := cmp.Diff(reported[last], r.told[before]); diff != "" {
		r.t.Errorf("attempt %d of the session: its last progress (-want +got):\n%s", r.at, diff)
	}
	rest := reported[:last]
	for i, got := range r.told[:before] {
		at := slices.IndexFunc(rest, func(p sdk.SessionPayload) bool { return cmp.Equal(p, got) })
		if at < 0 {
			r.t.Errorf("attempt %d of the session: its progress %d, %+v %+v, is none of those that were to come, which are %d", r.at, i+1, got, got.Progress, len(rest))
			return
		}
		rest = rest[at+1:]
	}
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
		list = append(list, sdk.Progress{Category: "message", Phase: "Processing", Percentage: 50, Delta: piece})
	}
	return append(list, sdk.Progress{Category: "message", Phase: "Processing", Percentage: 50, Message: strings.Join(pieces, "")})
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
		sdk.Progress{Category: "tool_call", Phase: "Calling write", Percentage: 25, Tool: "write", Message: "hello.txt", Delta: "hello.txt"},
		sdk.Progress{Category: "tool_result", Phase: "Result from write", Percentage: 75, Tool: "write"}, thinking())
	return append(list, spoken(
		"Done. ", "Quality ", "gate: ", "passed.\n", "- ", "Keep ", "inputs ", "validated\n", "- ", "Follow-up: ", "add ", "tests ", "for ", "ep-041x",
	)...)
}
