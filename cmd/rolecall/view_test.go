package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func at(percent float64, doing string) *sdk.Progress {
	return &sdk.Progress{Percentage: percent, Overall: percent, Phase: "writing", Message: doing}
}

func TestBar(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		task  sdk.Task
		width int
		want  string
	}{
		"queued":   {taskIn("queued", nil), 80, "[░░░░░░░░░░░░░░░░░░░░░░░░]   0 %  queued  1m5s"},
		"nobody":   {taskIn("queued", func(t *sdk.Task) { t.WaitingFor = &sdk.WaitingFor{Reason: "no_agent"} }), 80, "[░░░░░░░░░░░░░░░░░░░░░░░░]   0 %  waits: no agent  1m5s"},
		"silent":   {taskIn("running", func(t *sdk.Task) { t.AgentID = "c1" }), 80, "[░░░░░░░░░░░░░░░░░░░░░░░░]   0 %  c1 works  1m5s"},
		"half way": {taskIn("running", func(t *sdk.Task) { t.Progress = at(50, "auth.go") }), 80, "[████████████░░░░░░░░░░░░]  50 %  writing · auth.go  1m5s"},
		"all":      {taskIn("running", func(t *sdk.Task) { t.Progress = at(100, "") }), 80, "[████████████████████████] 100 %  writing  1m5s"},
		"beyond":   {taskIn("running", func(t *sdk.Task) { t.Progress = at(900, "") }), 80, "[████████████████████████] 100 %  writing  1m5s"},
		"going back": {
			taskIn("running", func(t *sdk.Task) {
				t.Attempt, t.Progress = 2, &sdk.Progress{Percentage: 25, Overall: 75, Message: "again"}
			}), 80,
			"[██████░░░░░░░░░░░░░░░░░░]  25 %  again  attempt 2/3  1m5s",
		},
		"second attempt": {taskIn("running", func(t *sdk.Task) { t.Attempt, t.Progress = 2, at(25, "a") }), 80, "[██████░░░░░░░░░░░░░░░░░░]  25 %  writing · a  attempt 2/3  1m5s"},
		"fallback":       {taskIn("running", func(t *sdk.Task) { t.Stage, t.Progress = 1, at(25, "a") }), 80, "[██████░░░░░░░░░░░░░░░░░░]  25 %  writing · a  stage 1  attempt 1/3  1m5s"},
		"asking":         {taskIn("input_required", func(t *sdk.Task) { t.Progress = at(25, "a") }), 80, "[██████░░░░░░░░░░░░░░░░░░]  25 %  waits for an answer  1m5s"},
		"narrow":         {taskIn("running", func(t *sdk.Task) { t.Progress = at(50, "auth.go") }), 30, " 50 %  writing · auth.…  1m5s"},
		"too narrow":     {taskIn("running", func(t *sdk.Task) { t.Progress = at(50, "auth.go") }), 8, " 50 %  "},
		"hostile":        {taskIn("running", func(t *sdk.Task) { t.Progress = &sdk.Progress{Message: "\x1b[2J\r\na\u202Eb"} }), 80, "[░░░░░░░░░░░░░░░░░░░░░░░░]   0 %  [2J  a b  1m5s"},
	} {
		if got := bar(&tc.task, noon(65), tc.width); got != tc.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, tc.want)
		}
	}
}

// TestBarNeverWraps draws in every width, with wide characters, and stays below it.
func TestBarNeverWraps(t *testing.T) {
	t.Parallel()
	task := taskIn("running", func(t *sdk.Task) {
		t.Stage, t.Attempt, t.Progress = 1, 2, at(42, strings.Repeat("漢字🦉é", 40))
	})
	for width := 1; width <= 200; width++ {
		used := 0
		for _, r := range bar(&task, noon(3700), width) {
			used += columns(r)
		}
		if used >= width && width > 1 || used > 1 && width == 1 {
			t.Errorf("%d columns used of %d", used, width)
		}
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	ended := sdk.Attempt{Attempt: 1, Role: "coder", AgentID: "c1", StartedAt: noon(1), EndedAt: new(noon(3)), Outcome: "timed_out"}
	open := ended
	open.EndedAt, open.Outcome = nil, ""
	queued, running := taskIn("queued", nil), taskIn("running", func(t *sdk.Task) { t.AgentID = "c1" })
	asking := taskIn("input_required", func(t *sdk.Task) {
		t.InputRequest = &sdk.InputRequest{ID: "q1", Prompt: "Which\none?", Schema: json.RawMessage(`{"type":"string"}`), ExpiresAt: noon(59)}
	})
	for name, tc := range map[string]struct {
		before *sdk.Task
		update sdk.TaskUpdate
		want   []string
	}{
		"first look":         {nil, sdk.TaskUpdate{Task: &queued}, []string{"task t1 queued: code.write for coder, medium · Write it"}},
		"nothing new":        {&running, sdk.TaskUpdate{Task: &running}, nil},
		"taken":              {&queued, sdk.TaskUpdate{Task: &running}, []string{"attempt 1 of 3 runs at c1"}},
		"several progresses": {&running, sdk.TaskUpdate{Task: &running, Progress: []sdk.Progress{*at(1, "a"), *at(99.5, "")}}, []string{"  1 %  writing · a", "100 %  writing"}},
		"an attempt ended": {
			new(taskIn("running", func(t *sdk.Task) { t.Attempts = []sdk.Attempt{open} })),
			sdk.TaskUpdate{Task: new(taskIn("queued", func(t *sdk.Task) {
				t.Attempts = []sdk.Attempt{ended}
				t.WaitingFor = &sdk.WaitingFor{Reason: "backing_off", NextAttemptAt: new(noon(5)), Detail: "the last attempt failed; the next one follows"}
			}))},
			[]string{"stage 0 attempt 1  coder at c1  timed out after 2s", "waits: the last attempt failed; the next one follows, at 12:00:05 UTC"},
		},
		"fallback": {&running, sdk.TaskUpdate{Task: new(taskIn("running", func(t *sdk.Task) { t.AgentID, t.Stage = "r1", 1 }))}, []string{"falls back to stage 1", "stage 1, attempt 1 of 3 runs at r1"}},
		"a question": {&running, sdk.TaskUpdate{Task: &asking}, []string{
			"asks: Which one?", `the answer must meet the schema {"type":"string"}`,
			"answer by 2026-01-02 12:00:59 UTC with: rolecall task input t1 --answer '<JSON>'",
		}},
		"the same question": {&asking, sdk.TaskUpdate{Task: &asking}, nil},
	} {
		if diff := cmp.Diff(tc.want, changes(tc.before, tc.update)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestTaskText(t *testing.T) {
	t.Parallel()
	degraded := taskIn("completed", func(t *sdk.Task) {
		t.Stage, t.Degraded, t.Description, t.Links.UI = 1, true, "Two\nlines", "http://127.0.0.1:8233/t1"
		t.Attempts = []sdk.Attempt{
			{Attempt: 1, Role: "coder", StartedAt: noon(0), EndedAt: new(noon(20)), Outcome: "not_taken", Error: &sdk.TaskError{Code: "queue_timeout", Message: "nobody took it"}},
			{Stage: 1, Attempt: 1, Role: "debugger", AgentID: "d1", Model: "small", StartedAt: noon(20), EndedAt: new(noon(20).Add(1500 * time.Millisecond)), Outcome: "completed"},
		}
		t.Result.Output = json.RawMessage(`{"text":"a\u001b[2J"}`)
	})
	want := `task t1 completed after 30s, degraded (stage 1 answered): code.write for coder, medium · Write it
  Two
  lines
attempts
  stage 0 attempt 1  coder  not taken after 20s: queue_timeout: nobody took it
  stage 1 attempt 1  debugger at d1 (small)  completed after 1.5s
output
  {
    "text": "a\u001b[2J"
  }
ui: http://127.0.0.1:8233/t1
`
	if diff := cmp.Diff(want, taskText(&degraded)); diff != "" {
		t.Error(diff)
	}
	waiting := taskIn("cancelled", func(t *sdk.Task) { t.CancelConfirmed, t.CompletedAt = new(false), nil })
	if got := taskText(&waiting); !strings.Contains(got, "cancelled, the agent was not seen to have stopped") {
		t.Error(got)
	}
}
