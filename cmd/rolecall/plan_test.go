package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

const planText1 = `title: Write it, reviewed
inputs: {language: Go}
steps:
- {id: write, type: code.write, title: Write it, input: {language: "${{ inputs.language }}"}}
- {id: review, type: code.review, title: Review it, needs: [write], gate: {rework: write}}
- {id: deploy, type: devops.deploy, title: Deploy it, needs: [review], when: "false"}
`

// planService has one plan, pl1, that runs at first and ends as it is told, and keeps what it was asked.
type planService struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string // method, path and body
	ends   sdk.Status
	looked int
	silent bool // it has no longer the events from the beginning
}

func servingPlan(t *testing.T, ends sdk.Status) *planService {
	t.Helper()
	s := &planService{ends: ends}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s
}

func (s *planService) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// plan is the plan in a status.
func (s *planService) plan(status sdk.Status) sdk.Plan {
	p := sdk.Plan{
		ID: "pl1", Title: "Write it, \x1b[31mreviewed", Status: status, Priority: "medium", MaxParallel: 8, OnFailure: "stop", CreatedAt: noon(0),
		Outputs: map[string]json.RawMessage{}, Steps: []sdk.Step{
			{ID: "write", Type: "code.write", Role: "coder", Title: "Write it", Status: sdk.StepRunning, TaskID: "pl1-p-1", StartedAt: new(noon(1))},
			{ID: "review", Type: "code.review", Role: "reviewer", Title: "Review it", Needs: []string{"write"}, Status: sdk.StepPending},
			{ID: "deploy", Type: "devops.deploy", Role: "devops", Title: "Deploy it", Needs: []string{"review"}, Status: sdk.StepPending},
		},
	}
	if !status.Terminal() {
		return p
	}
	p.CompletedAt = new(noon(30))
	p.Outputs["code"] = json.RawMessage(`{"files":3}`)
	for i := range p.Steps {
		p.Steps[i].Status, p.Steps[i].AgentID, p.Steps[i].StartedAt, p.Steps[i].CompletedAt = sdk.StepCompleted, "agent-1", new(noon(i)), new(noon(i+4))
	}
	p.Steps[0].Reworks = 1
	p.Steps[2].Status, p.Steps[2].SkippedBecause, p.Steps[2].AgentID = sdk.StepSkipped, "its condition is false", ""
	if status == sdk.StatusFailed {
		p.Error = &sdk.TaskError{Code: sdk.CodeStepFailed, Message: "review failed"}
		p.Steps[1].Status, p.Steps[1].Error = sdk.StepFailed, &sdk.TaskError{Code: sdk.CodeAgentFailed, Message: "no \x1b[31mink"}
	}
	return p
}

func (s *planService) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	if r.Method == http.MethodGet {
		s.looked++
	}
	status := sdk.StatusRunning
	if s.looked > 1 {
		status = s.ends
	}
	s.mu.Unlock()
	var answer any = s.plan(status)
	var refusal *sdk.Error
	switch {
	case strings.HasSuffix(r.URL.Path, "/events") && s.silent:
		refusal = sdk.Errorf(sdk.CodeHistoryExpired, "its beginning is no longer there")
	case strings.HasSuffix(r.URL.Path, "/events"):
		s.stream(w, r)
		return
	case r.URL.Path == "/v1/plans" && r.Method == http.MethodGet:
		planned := s.plan(sdk.StatusRunning)
		planned.ID, planned.Steps = "pl2", nil
		answer = sdk.PlanPage{Items: []sdk.Plan{s.plan(s.ends), planned}}
	case strings.HasSuffix(r.URL.Path, "/none"):
		refusal = sdk.Errorf(sdk.CodeNotFound, "there is no such plan")
	case strings.Contains(string(body), "refuse me"):
		refusal = &sdk.Error{Code: sdk.CodeInvalidInput, Message: "no", Faults: []sdk.Fault{{Path: "$.steps[0].when", Message: "reads what there is not"}}}
	}
	if refusal != nil {
		p := refusal.Problem()
		w.Header().Set("Content-Type", sdk.ProblemContentType)
		w.WriteHeader(p.Status)
		answer = p
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// planEvents are the events of the plan: a question, a rework, and its end.
func (s *planService) planEvents() []sdk.Event {
	step := func(second int, d sdk.PlanStepped) sdk.Event {
		return sdk.Event{Type: sdk.EventPlanStep, Time: noon(second), Data: encoded(d)}
	}
	return []sdk.Event{
		{Type: sdk.EventPlanCreated, Time: noon(0), Data: encoded(sdk.PlanCreated{PlanID: "pl1", Title: "Write it", Steps: 3, MaxParallel: 8, Priority: "medium"})},
		{Type: sdk.EventPlanStarted, Time: noon(0), Data: encoded(sdk.PlanStarted{PlanID: "pl1", Steps: make([]sdk.PlanStartedStep, 3)})},
		step(1, sdk.PlanStepped{Step: "write", From: "pending", To: "ready"}),
		step(1, sdk.PlanStepped{Step: "write", From: "ready", To: "running", TaskID: "pl1-p-1"}),
		{Type: sdk.EventTaskAssigned, Time: noon(2), Task: "pl1-p-1", Agent: "agent-1", Data: encoded(sdk.TaskAssigned{AgentID: "agent-1", Role: "coder", Attempt: 1})},
		{Type: sdk.EventTaskProgress, Time: noon(2), Task: "pl1-p-1", Data: encoded(sdk.TaskProgressed{Progress: sdk.Progress{Percentage: 25, Message: "typing \x1b[31m"}})},
		{Type: sdk.EventTaskInputRequired, Time: noon(3), Task: "pl1-p-1", Data: encoded(sdk.TaskInputRequired{Prompt: "which one?"})},
		step(4, sdk.PlanStepped{Step: "write", From: "running", To: "completed", AgentID: "agent-1"}),
		step(4, sdk.PlanStepped{Step: "review", From: "ready", To: "running", TaskID: "pl1-p-2"}),
		step(5, sdk.PlanStepped{Step: "write", From: "completed", To: "pending", Reworks: 1, ReworkFor: "review"}),
		step(6, sdk.PlanStepped{Step: "write", From: "ready", To: "running", TaskID: "pl1-p-3", Reworks: 1}),
		{Type: sdk.EventTaskProgress, Time: noon(6), Task: "pl1-p-1", Data: encoded(sdk.TaskProgressed{Progress: sdk.Progress{Message: "of a task that is no more"}})},
		step(7, sdk.PlanStepped{Step: "review", From: "running", To: "failed", Error: &sdk.TaskError{Code: "agent_failed", Message: "no \x1b[31mink"}}),
		step(7, sdk.PlanStepped{Step: "deploy", From: "pending", To: "skipped", SkippedBecause: "the plan stopped: review failed"}),
		{Type: sdk.EventPlanFailed, Time: noon(8), Data: encoded(sdk.PlanEnded{DurationMs: 8000, Completed: 1, Failed: 1, Skipped: 1, Error: &sdk.TaskError{Code: "step_failed", Message: "review failed"}})},
	}
}

func encoded(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func (s *planService) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i, e := range s.planEvents() {
		e.ID, e.Sequence, e.Plan = "e", sdk.FormatSequence(uint64(i+1)), "pl1"
		if e.Sequence <= r.Header.Get("Last-Event-ID") {
			continue
		}
		if _, err := io.WriteString(w, "id: "+e.Sequence+"\nevent: "+string(e.Type)+"\ndata: "+string(encoded(e))+"\n\n"); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

func TestPlanCommands(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "plan.yaml")
	if err := os.WriteFile(file, []byte(planText1), 0o600); err != nil {
		t.Fatal(err)
	}
	const sent = `POST /v1/plans {"title":"Write it, reviewed","steps":[{"id":"write","type":"code.write","title":"Write it","input":{"language":"${{ inputs.language }}"}},` +
		`{"id":"review","type":"code.review","title":"Review it","needs":["write"],"gate":{"rework":"write"}},` +
		`{"id":"deploy","type":"devops.deploy","title":"Deploy it","needs":["review"],"when":"false"}],"inputs":`
	const shown = `plan pl1 completed after 30s: Write it,  [31mreviewed
  write   completed (rework 1)  4s  agent-1   Write it
  review  completed             4s  agent-1   Review it
  deploy  skipped               -   (devops)  its condition is false
outputs
  {
    "code": {
      "files": 3
    }
  }
`
	for name, tc := range map[string]struct {
		args           []string
		stdin          string
		ends           sdk.Status
		code           int
		stdout, stderr string
		asked          []string
	}{
		"run": {
			args:   []string{"plan", "run", file, "--input", "language=C=D", "--input-json", "n=[1]"},
			stdout: "plan pl1 running: Write it,  [31mreviewed\nLook at it with: rolecall plan get pl1\n", asked: []string{sent + `{"language":"C=D","n":[1]}}`},
		},
		"run, from standard input": {
			args: []string{"plan", "run", "-", "--json"}, stdin: planText1, stdout: `"id": "pl1"`, asked: []string{sent + `{"language":"Go"}}`},
		},
		"run, and wait":        {args: []string{"plan", "run", file, "--wait"}, stdout: shown},
		"run, and it fails":    {args: []string{"plan", "run", file, "--wait"}, ends: sdk.StatusFailed, code: 1, stdout: "  review  failed                4s  agent-1   agent_failed: no  [31mink\n"},
		"run too long":         {args: []string{"plan", "run", file, "--wait", "--wait-timeout", "200ms"}, ends: sdk.StatusRunning, code: 4, stderr: "plan pl1 has not ended within 200ms"},
		"run, refused there":   {args: []string{"plan", "run", file, "--input", "x=refuse me"}, code: 2, stderr: "$.steps[0].when reads what there is not (" + file + ":4:3)"},
		"run no file":          {args: []string{"plan", "run", file + "s"}, code: 2, stderr: "no such file"},
		"run no plan":          {args: []string{"plan", "run", "-"}, stdin: "titel: t", code: 2, stderr: "standard input holds no plan\n  $.titel is no field of it; there are title,"},
		"run no YAML":          {args: []string{"plan", "run", "-"}, stdin: "title: [", code: 2, stderr: "standard input:1:8: "},
		"run no input":         {args: []string{"plan", "run", file, "--input", "x"}, code: 2, stderr: `--input "x" is not name=value`},
		"run no JSON":          {args: []string{"plan", "run", file, "--input-json", "x={"}, code: 2, stderr: "--input-json x: the value is not valid JSON"},
		"run an input twice":   {args: []string{"plan", "run", file, "--input", "x=1", "--input-json", "x=1"}, code: 2, stderr: "the input x is given twice"},
		"run an input from in": {args: []string{"plan", "run", file, "--input", "x=-"}, code: 2, stderr: "give x=@file"},
		"run nothing":          {args: []string{"plan", "run"}, code: 2, stderr: "plan run needs a file of a plan"},
		"validate":             {args: []string{"plan", "validate", file}, stdout: file + " can be run: Write it, reviewed, 3 steps\n"},
		"validate, as JSON":    {args: []string{"plan", "validate", "-", "--json"}, stdin: planText1, stdout: `"steps": 3`},
		"validate a goal":      {args: []string{"plan", "validate", "-"}, stdin: "title: t\ngoal: g", stdout: "- can be run: t, whose steps a coordinator is asked for\n"},
		"validate an expression": {
			args: []string{"plan", "validate", "-"}, stdin: "title: t\nsteps:\n- {id: a, type: code.write, title: t, when: steps.b.output}\n",
			code: 2, stderr: "(standard input:3:39)\n",
		},
		"validate a cycle": {
			args: []string{"plan", "validate", "-"}, stdin: "title: t\nsteps:\n- {id: a, type: code.write, title: t, needs: [b]}\n- {id: b, type: code.write, title: t, needs: [a]}\n",
			code: 2, stderr: "is a cycle, each needs the next: ",
		},
		"validate what is none": {args: []string{"plan", "validate", "-", "--json"}, stdin: "title: t\nsteps: 1", code: 2, stderr: `"errors":[{"path":"$.steps","message":"must be a list (standard input:2:1)"}]`},
		"get":                   {args: []string{"plan", "get", "pl1"}, stdout: "plan pl1 running: Write it,  [31mreviewed\n  write   running  ", asked: []string{"GET /v1/plans/pl1"}},
		"get, as JSON":          {args: []string{"plan", "get", "pl1", "--json"}, stdout: `"maxParallel": 8`},
		"get nothing":           {args: []string{"plan", "get", "none"}, code: 1, stderr: "there is no such plan (not_found)"},
		"list": {
			args: []string{"plan", "list", "--status", "open", "--limit", "1"}, stderr: "There are more; --limit 0 lists all.\n",
			stdout: `CREATED (UTC)        STATUS     ID   STEPS         PRIORITY  TITLE
2026-01-02 12:00:00  completed  pl1  3 of 3 ended  medium    Write it,  [31mreviewed
`, asked: []string{"GET /v1/plans?limit=2&status=open"},
		},
		"list all, as JSON": {args: []string{"plan", "list", "--limit", "0", "--json"}, stdout: `"id": "pl2"`, asked: []string{"GET /v1/plans?limit=200"}},
		"list too few":      {args: []string{"plan", "list", "--limit", "-1"}, code: 2, stderr: "--limit must not be negative"},
		"cancel":            {args: []string{"plan", "cancel", "pl1", "--reason", "enough"}, stdout: "plan pl1 running", asked: []string{`POST /v1/plans/pl1/cancel {"reason":"enough"}`}},
		"cancel, and wait":  {args: []string{"plan", "cancel", "pl1", "--wait"}, ends: sdk.StatusCancelled, stdout: "plan pl1 cancelled after 30s"},
		"watch": {
			args: []string{"plan", "watch", "pl1"}, ends: sdk.StatusFailed, code: 1,
			stdout: `12:00:00  plan created: 3 steps, 8 at once, medium · Write it
12:00:00  plan started: 3 steps
12:00:01  write running, task pl1-p-1
12:00:03  write asks: which one? (answer with: rolecall task input pl1-p-1 --answer '<JSON>')
12:00:04  write completed at agent-1
12:00:04  review running, task pl1-p-2
12:00:05  write pending: sent back by review
12:00:06  write running, rework 1, task pl1-p-3
12:00:07  review failed: agent_failed: no  [31mink
12:00:07  deploy skipped: the plan stopped: review failed
12:00:08  plan failed: after 8s, steps: 1 completed, 1 failed, 1 skipped: step_failed: review failed
plan pl1 failed after 30s`,
		},
		"watch on, as JSON": {args: []string{"plan", "watch", "pl1", "--after", "14", "--json"}, stdout: `{"specversion":"","id":"e",`},
		"watch nothing":     {args: []string{"plan", "watch", "none"}, code: 1, stderr: "there is no such plan (not_found)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ends := sdk.StatusCompleted
			if tc.ends != "" {
				ends = tc.ends
			}
			s := servingPlan(t, ends)
			got := rolecall(t, s.URL, tc.stdin, tc.args...)
			if got.code != tc.code || !strings.HasPrefix(got.stdout, tc.stdout) && !strings.Contains(got.stdout, tc.stdout) || !strings.Contains(got.stderr, tc.stderr) || tc.stderr == "" && got.stderr != "" {
				t.Errorf("exit code %d\nstdout:\n%s\nstderr:\n%s", got.code, got.stdout, got.stderr)
			}
			asked := s.requests()
			if diff := cmp.Diff(tc.asked, asked[:min(len(tc.asked), len(asked))]); diff != "" && len(tc.asked) > 0 {
				t.Error(diff)
			}
			if len(asked) > 0 && tc.args[1] == "validate" {
				t.Errorf("a service was asked: %v", asked)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		gone := servingPlan(t, sdk.StatusCompleted)
		gone.Close()
		if got := rolecall(t, gone.URL, "", "plan", "run", file); got.code != exitUnreachable || !strings.Contains(got.stderr, gone.URL) {
			t.Errorf("%+v", got)
		}
	})
}

// TestPlanWaitWithoutEvents: who only waits, on a terminal, needs no events; who follows is told which plan goes on.
func TestPlanWaitWithoutEvents(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		w    planWaiting
		says string
	}{
		"waiting":   {planWaiting{waiting: waiting{wanted: true}}, "waiting for the end of plan pl1 without showing its steps\n"},
		"following": {planWaiting{waiting: waiting{follow: true}}, "Look at the plan with: rolecall plan get pl1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servingPlan(t, sdk.StatusCompleted)
			s.silent = true
			client, err := sdk.NewClient(sdk.Config{URL: s.URL})
			if err != nil {
				t.Fatal(err)
			}
			var out, said strings.Builder
			c := &console{stdout: &out, stderr: &said, width: func() int { return 70 }}
			plan := s.plan(sdk.StatusRunning)
			err = tc.w.toEnd(t.Context(), c, client, &plan)
			if tc.w.follow != errors.Is(err, sdk.ErrHistoryExpired) || tc.w.follow == strings.HasPrefix(out.String(), "plan pl1 completed") || !strings.HasSuffix(said.String(), tc.says) {
				t.Errorf("%v\n%s\n%s", err, &said, &out)
			}
		})
	}
}
