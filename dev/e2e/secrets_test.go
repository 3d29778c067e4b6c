package e2e_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// leakyAgent says the secret that it is started with wherever an agent can say something: in its first attempt in progress, resume data, live
// output, stdout and stderr, then in a question, and at last in its error.
const leakyAgent = `
case "$ROLECALL_ATTEMPT" in
1)
	echo '{"progress":{"percentage":5,"phase":"using '"$1"'","message":"with '"$1"'","delta":"'"$1"'","tool":"'"$1"'"}}'
	echo '{"resume":{"key":"'"$1"'","'"$1"'":1}}'
	echo "plain $1"
	sleep 1.5
	echo "Authorization: Bearer $1" >&2
	exit 3 ;;
2) echo '{"inputRequired":{"prompt":"use '"$1"'?","schema":{"description":"'"$1"'"}}}' ;;
*)
	echo "password=$1" >&2
	echo '{"error":{"code":"broken","message":"refused '"$1"'","retryable":false,"details":{"sent":"'"$1"'"}}}'
	exit 1 ;;
esac
`

// TestASecretIsFoundNowhere: one in a prompt, a progress, an error, a question, an answer and a stderr tail is in no history, no event and no
// line of any log.
func TestASecretIsFoundNowhere(t *testing.T) {
	t.Parallel()
	secret := "sk-" + "ant-" + strings.Repeat("Zq7Xv9", 6)
	s := newScene(t, sharedStack(t))
	worker := s.worker("leaky", dev.Worker{
		Command: []string{"/bin/sh", "-c", leakyAgent, "sh", secret}, Env: []string{"ROLECALL_LOG_LEVEL=debug", "EVENTS_SERVICE_URL=" + s.stack.URL()},
	})
	task, err := s.client.CreateTask(t.Context(), sdk.TaskRequest{
		Type: sdk.TypeCodeWrite, Title: "use " + secret, Description: "log in with " + secret, Input: []byte(`{"key":"` + secret + `","` + secret + `":1}`),
		Metadata: map[string]string{"note": secret}, Retry: &sdk.Retry{InitialIntervalMs: 100}, Timeouts: &sdk.Timeouts{HeartbeatMs: 5000},
	})
	s.do(err)
	asking := s.is("the question", task.ID, func(task *sdk.Task) bool { return task.Status == sdk.StatusInputRequired })
	if a := s.answer(task.ID, asking.InputRequest.ID, `"`+secret+`"`); a.status != http.StatusOK {
		t.Fatalf("the answer is answered %d %+v", a.status, a.problem)
	}
	ended := s.ended(task.ID)
	wantChain(t, ended, "0.1 failed", "0.2 input_required", "0.3 failed")
	if e := ended.Result.Error; e == nil || e.Message != "refused [redacted]" || ended.Title != "use [redacted]" {
		t.Errorf("the task ended as %+v, %q", e, ended.Title)
	}
	s.do(worker.Stop(t.Context()))

	found := func(where string, in []byte) {
		if i := bytes.Index(in, []byte("Zq7Xv9")); i >= 0 {
			t.Errorf("the secret is in %s: %q", where, in[max(0, i-200):min(len(in), i+100)])
		}
	}
	signals := 0
	history := s.stack.Temporal().GetWorkflowHistory(t.Context(), workflows.TaskWorkflowID(s.project, task.ID), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		s.do(err)
		raw, err := proto.Marshal(event)
		s.do(err)
		found(event.GetEventType().String(), raw)
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			signals++
		}
	}
	if signals < 2 {
		t.Errorf("%d signals: the progress was not recorded", signals)
	}
	run, err := s.stack.Temporal().DescribeWorkflowExecution(t.Context(), workflows.TaskWorkflowID(s.project, task.ID), "")
	s.do(err)
	raw, err := proto.Marshal(run)
	s.do(err)
	found("the run's description", raw)
	for path, says := range map[string]string{
		"/v1/tasks/" + task.ID: "[redacted]", "/v1/tasks/" + task.ID + "/progress": "[redacted]", "/v1/tasks/" + task.ID + "/events": "task.failed",
		"/v1/events?after=0": "task.failed", "/v1/errors": "refused [redacted]",
	} {
		body := s.read(path)
		found(path, body)
		if !bytes.Contains(body, []byte(says)) {
			t.Errorf("%s does not tell of %q: %s", path, says, body)
		}
	}
	s.toldRedacted(task.ID)
	s.onDisk(task.ID, found)
	for _, p := range []*dev.Process{s.stack.API, s.stack.Control, s.stack.Events, s.stack.TemporalServer, worker} {
		log, err := os.ReadFile(p.LogFile())
		s.do(err)
		if p == worker && !bytes.Contains(log, []byte("level=DEBUG")) {
			t.Errorf("the worker's log does not tell everything:\n%s", log)
		}
		found(p.LogFile(), log)
	}
}

// toldRedacted looks at the task's events where the secret was: its place is marked, and everything around it is there.
func (s *scene) toldRedacted(id string) {
	s.t.Helper()
	want := map[sdk.EventType][]string{
		sdk.EventTaskCreated:       {"use [redacted]", "log in with [redacted]", `"key":"[redacted]"`},
		sdk.EventTaskProgress:      {"using [redacted]", "with [redacted]"},
		sdk.EventTaskRetrying:      {"Bearer [redacted]"},
		sdk.EventTaskInputRequired: {"use [redacted]?"},
		sdk.EventTaskFailed:        {"refused [redacted]", `"sent":"[redacted]"`},
	}
	for e, err := range s.client.TaskEvents(s.t.Context(), id) {
		s.do(err)
		for _, says := range want[e.Type] {
			if !bytes.Contains(e.Data, []byte(says)) {
				s.t.Errorf("%s does not say %q: %s", e.Type, says, e.Data)
			}
		}
		delete(want, e.Type)
	}
	if len(want) > 0 {
		s.t.Errorf("no event was there of %v", want)
	}
}

// onDisk looks at the files of the event log and of Temporal, as they lie on the disk.
func (s *scene) onDisk(id string, found func(where string, in []byte)) {
	s.t.Helper()
	tells := 0
	s.do(filepath.WalkDir(filepath.Join(s.stack.Dir(), "data"), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.Type().IsRegular() {
			return nil // a file that the log is done with
		}
		if err != nil {
			return err
		}
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if bytes.Contains(raw, []byte(id)) && strings.Contains(path, "/events/") {
			tells++
		}
		found(path, raw)
		return err
	}))
	if tells == 0 {
		s.t.Error("no file of the event log tells of the task: what was looked at shows nothing")
	}
}

// read is all that the API answers to a GET, which is 200; a stream has to end by itself.
func (s *scene) read(path string) []byte {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.stack.URL()+path, http.NoBody)
	s.do(err)
	request.Header.Set("Rolecall-Project", s.project)
	response, err := (&http.Client{Timeout: patience}).Do(request)
	s.do(err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	s.do(err)
	if response.StatusCode != http.StatusOK || len(body) == 0 {
		s.t.Fatalf("GET %s: %d %s", path, response.StatusCode, body)
	}
	return body
}
