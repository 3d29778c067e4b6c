package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

func (s *scene) answer(id, question, value string) answer {
	s.t.Helper()
	return s.post("/v1/tasks/"+id+"/input", fmt.Sprintf(`{"requestId":%q,"answer":%s}`, question, value))
}

func TestInputIsAskedForAndAnswered(t *testing.T) {
	t.Parallel()
	const schema = `{"type":"object","properties":{"port":{"type":"integer","minimum":1}},"required":["port"]}`
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{})
	created := s.delegate(script{"0.1": {`resume:{"at":"door"}`, "ask:Which port?|" + schema}, "*": {"until:go", "echo"}})
	asking := s.is("the question", created.ID, func(task *sdk.Task) bool { return task.Status == sdk.StatusInputRequired })
	q := asking.InputRequest
	if q == nil || q.Prompt != "Which port?" || !sameJSON(t, q.Schema, schema) || !q.ExpiresAt.After(q.AskedAt) {
		t.Fatalf("the question is %+v", q)
	}

	// The only slot is free meanwhile.
	if other := s.ended(s.delegate(script{"*": {"result:1"}}).ID); other.Status != sdk.StatusCompleted {
		t.Errorf("another task on the same slot is %s", other.Status)
	}

	for value, want := range map[string]string{`{"port":0}`: "port", `{}`: "port", `"80"`: "type"} {
		a := s.answer(created.ID, q.ID, value)
		if a.status != http.StatusUnprocessableEntity || a.problem.Code != sdk.CodeInvalidInput ||
			len(a.problem.Errors) != 1 || a.problem.Errors[0].Path != "$.answer" || !strings.Contains(a.problem.Errors[0].Message, want) {
			t.Errorf("the answer %s is answered %d %+v, want 422 naming $.answer", value, a.status, a.problem)
		}
	}
	if a := s.answer(created.ID, "input-0-7", `{"port":80}`); a.status != http.StatusConflict || !strings.Contains(a.problem.Detail, q.ID) {
		t.Errorf("an answer to no question is answered %d %+v, want 409 naming the open one", a.status, a.problem)
	}
	if task, err := s.client.GetTask(t.Context(), created.ID); err != nil || task.Status != sdk.StatusInputRequired {
		t.Fatalf("after wrong answers the task is %s, %v", task.Status, err)
	}

	if a := s.answer(created.ID, q.ID, `{"port":80}`); a.status != http.StatusOK || a.task.InputRequest != nil || len(a.task.Answers) != 1 {
		t.Fatalf("the answer is answered %d %+v", a.status, a)
	}
	if a := s.answer(created.ID, q.ID, `{ "port" : 80 }`); a.status != http.StatusOK || len(a.task.Answers) != 1 {
		t.Errorf("the same answer again is answered %d %+v, want 200", a.status, a)
	}
	if a := s.answer(created.ID, q.ID, `{"port":81}`); a.status != http.StatusConflict || a.problem.Code != sdk.CodeConflict {
		t.Errorf("another answer is answered %d %+v, want 409", a.status, a.problem)
	}
	s.touch("go")
	s.wantAnswered(s.ended(created.ID), created.Input, q.ID)
	if a := s.answer(created.ID, q.ID, `{"port":80}`); a.status != http.StatusConflict {
		t.Errorf("an answer after the end is answered %d, want 409", a.status)
	}
}

// wantAnswered checks that the second attempt got the answer, and that the task still has the input it was created with.
func (s *scene) wantAnswered(task *sdk.Task, input json.RawMessage, question string) {
	s.t.Helper()
	wantChain(s.t, task, "0.1 input_required", "0.2 completed")
	var got struct {
		Resume  json.RawMessage `json:"resume"`
		Answers []sdk.Answer    `json:"answers"`
		Attempt int             `json:"attempt"`
	}
	s.do(json.Unmarshal(task.Result.Output, &got))
	if got.Attempt != 2 || len(got.Answers) != 1 || got.Answers[0].RequestID != question || got.Answers[0].Prompt != "Which port?" ||
		!sameJSON(s.t, got.Answers[0].Answer, `{"port":80}`) || !sameJSON(s.t, got.Resume, `{"at":"door"}`) {
		s.t.Errorf("the second attempt was given %+v", got)
	}
	if !sameJSON(s.t, task.Input, string(input)) {
		s.t.Errorf("the input became %s", task.Input)
	}
	if len(task.Answers) != 1 || task.Answers[0].At == nil || task.Degraded || task.MaxAttempts != 4 {
		s.t.Errorf("the task has answers %+v, degraded %v, %d attempts; a question uses no attempt up", task.Answers, task.Degraded, task.MaxAttempts)
	}
}

func TestInputTimesOut(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{})
	created := s.delegate(script{"*": {"ask:Which port?"}}, func(r *sdk.TaskRequest) {
		r.Timeouts.InputMs = 1000
		r.Fallback = []sdk.Stage{{Role: sdk.RoleTester}} // nobody answering is no fault of the stage
	})
	task := s.ended(created.ID)
	wantChain(t, task, "0.1 input_required")
	if task.Status != sdk.StatusFailed || task.Result.Error.Code != sdk.CodeInputTimeout || !strings.Contains(task.Result.Error.Message, "Which port?") {
		t.Errorf("the task is %s: %+v", task.Status, task.Result)
	}
	if took := task.CompletedAt.Sub(*task.Attempts[0].EndedAt); took < time.Second || took > busy(5*time.Second) {
		t.Errorf("the question was open for %s, want 1 s", took)
	}
	if got := s.run(task.ID).GetWorkflowExecutionInfo().GetStatus(); got != enumspb.WORKFLOW_EXECUTION_STATUS_FAILED {
		t.Errorf("the run is %s, want Failed", got)
	}
}

func sameJSON(t *testing.T, got json.RawMessage, want string) bool {
	t.Helper()
	var a, b any
	if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(want), &b) != nil {
		return false
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}
