// Package conformance is the table of cases that every rolecall service has to meet: the real one on Temporal, and the one in memory of
// package sdktest. What is promised to callers and not in the table may differ between them.
//
// Whole tasks and their stories are compared, as the API answers them, with the files in testdata; ids, times and durations are masked there, but not
// whether they are set.
//
// It is for sdk/sdktest and dev/e2e, and exported for nobody else: it may change with any release.
package conformance

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Target is the service that a case runs on, with a project that no other case uses.
type Target interface {
	// Client is a client of the project.
	Client() *sdk.Client
	// Agent puts an agent with one slot, which can be addressed, to work; tasks that need capabilities find it by can. stop lets it give back
	// what it has and end.
	Agent(role sdk.Role, id string, h sdk.Handler, can ...string) (stop func())
	// Pass lets so much time go by for the service, where that does not pass by itself.
	Pass(d time.Duration)
}

// Options say how the table is run.
type Options struct {
	// Open makes the target of one case.
	Open func(t *testing.T) Target
	// Record takes the masked tasks instead of comparing them, to write the files anew. Default nil: compare.
	Record func(name string, content []byte) error
	// Skip are cases that the target is not made for. Default none.
	Skip []string
}

// Run runs every case, each in a subtest of its own that runs in parallel.
func Run(t *testing.T, o Options) {
	t.Helper()
	for name, run := range cases() {
		if slices.Contains(o.Skip, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := o.Open(t)
			run(&scene{T: t, Target: target, client: target.Client(), record: o.Record, name: name})
		})
	}
}

// patience bounds every wait for a fact.
const patience = 60 * time.Second

//go:embed testdata
var records embed.FS

// scene is a case that runs.
type scene struct {
	*testing.T
	Target
	client *sdk.Client
	record func(name string, content []byte) error
	name   string
}

func (s *scene) do(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// delegate hands a task out: of type code.write, with short pauses.
func (s *scene) delegate(with ...func(*sdk.TaskRequest)) *sdk.Task {
	s.Helper()
	request := sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: s.name, Retry: &sdk.Retry{InitialIntervalMs: 100}}
	for _, change := range with {
		change(&request)
	}
	task, err := s.client.CreateTask(s.Context(), request)
	s.do(err)
	return task
}

// ended waits for the end of a task.
func (s *scene) ended(id string) *sdk.Task {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	task, err := s.client.WaitForTask(ctx, id)
	s.do(err)
	return task
}

// is waits until a task meets a condition.
func (s *scene) is(id, what string, condition func(*sdk.Task) bool) *sdk.Task {
	s.Helper()
	var task *sdk.Task
	s.eventually("a task that is "+what, func() (err error) {
		if task, err = s.client.GetTask(s.Context(), id); err == nil && !condition(task) {
			err = fmt.Errorf("it is %s, waiting for %+v", task.Status, task.WaitingFor)
		}
		return err
	})
	return task
}

func (s *scene) running(id string) {
	s.Helper()
	s.is(id, "running", func(t *sdk.Task) bool { return t.Status == sdk.StatusRunning })
}

// half waits until a task's agent has said that half of it is done: what it does before that it has done.
func (s *scene) half(id string) {
	s.Helper()
	s.is(id, "half done", func(t *sdk.Task) bool { return t.Progress != nil && t.Progress.Percentage == 50 })
}

// waits waits until a task waits for the reason.
func (s *scene) waits(id, reason string) *sdk.Task {
	s.Helper()
	return s.is(id, reason, func(t *sdk.Task) bool { return t.WaitingFor != nil && t.WaitingFor.Reason == reason })
}

// eventually looks until it sees what it waits for.
func (s *scene) eventually(what string, look func() error) {
	s.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := look()
		if err == nil {
			return
		}
		select {
		case <-late.C:
			s.Fatalf("%s: %v", what, err)
		case <-tick.C:
		}
	}
}

// code checks the code of an error, and the paths of its faults.
func (s *scene) code(what string, err error, code sdk.Code, paths ...string) {
	s.Helper()
	e, ok := err.(*sdk.Error) //nolint:errorlint // an error of a call is one
	if !ok || e.Code != code {
		s.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	got := []string{}
	for _, f := range e.Faults {
		got = append(got, f.Path)
	}
	if d := cmp.Diff(append([]string{}, paths...), got); d != "" {
		s.Errorf("%s: the faults are of %q, want %q", what, got, paths)
	}
}

// post sends a body as it is and answers the error that comes back.
func (s *scene) post(address, body string) error {
	s.Helper()
	cfg := s.client.Config()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, cfg.URL+address, strings.NewReader(body))
	s.do(err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Rolecall-Project", cfg.ProjectID)
	resp, err := cfg.HTTPClient.Do(r)
	s.do(err)
	defer func() { _ = resp.Body.Close() }() // it was read
	if resp.StatusCode >= http.StatusBadRequest {
		return sdk.ErrorFromResponse(resp)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// like compares a task with the one in the file, both masked.
func (s *scene) like(file string, task *sdk.Task) {
	s.Helper()
	got, err := masked(task)
	s.do(err)
	s.same(file, got)
}

// same compares what is masked with the file.
func (s *scene) same(file string, got []byte) {
	s.Helper()
	if s.record != nil {
		s.do(s.record(file+".json", got))
		return
	}
	want, err := records.ReadFile(path.Join("testdata", file+".json"))
	s.do(err)
	if d := cmp.Diff(string(want), string(got)); d != "" {
		s.Errorf("it is not as in %s (-want +got):\n%s", file, d)
	}
}

// masked is a task as JSON without what differs from run to run.
func masked(task *sdk.Task) ([]byte, error) {
	raw, err := json.Marshal(task)
	if err != nil {
		return nil, err
	}
	text := strings.ReplaceAll(string(raw), task.ID, "ID")
	if task.RetryOf != "" {
		text = strings.ReplaceAll(text, task.RetryOf, "FIRST")
	}
	if task.ParentID != "" {
		text = strings.ReplaceAll(text, task.ParentID, "PARENT")
	}
	var tree map[string]any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return nil, err
	}
	if links, ok := tree["links"].(map[string]any); ok {
		delete(links, "ui")
	}
	mask(tree)
	out, err := json.MarshalIndent(tree, "", "  ")
	return append(out, '\n'), err
}

func mask(value any) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			mask(item)
		}
	case map[string]any:
		for name, item := range v {
			switch text, isText := item.(string); {
			case name == "durationMs":
				v[name] = "DURATION"
			case isText && (name == "at" || name == "since" || strings.HasSuffix(name, "At")):
				v[name] = "TIME"
				if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
					v[name] = "no time: " + text
				}
			default:
				mask(item)
			}
		}
	}
}

// chain is a task's chain of attempts as "stage.attempt outcome code".
func chain(t *sdk.Task) []string {
	list := []string{}
	for _, a := range t.Attempts {
		entry := fmt.Sprintf("%d.%d %s", a.Stage, a.Attempt, a.Outcome)
		if a.Error != nil {
			entry += " " + string(a.Error.Code)
		}
		list = append(list, entry)
	}
	return list
}

// chained checks how a task's attempts ended.
func (s *scene) chained(t *sdk.Task, want ...string) {
	s.Helper()
	if d := cmp.Diff(want, chain(t)); d != "" {
		s.Errorf("the chain of %s (-want +got):\n%s", t.Title, d)
	}
}
