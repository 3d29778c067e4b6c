package apiserver

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// memoryTasks keeps tasks in memory, with the engine's rules about ids and digests, so that the HTTP side can be tested alone.
type memoryTasks struct {
	mu      sync.Mutex
	tasks   map[string]sdk.Task
	digests map[string]string
	inputs  map[string]workflows.TaskInput
	failure error
	reason  string
	filter  sdk.TaskFilter      // of the last list
	owner   string              // the organization of the last task
	waiting chan struct{}       // one for each wait that began
	looks   int                 // how often tasks were looked at afresh
	stale   map[string]sdk.Task // what GetTask answers of a task, until it is looked at
	roles   map[sdk.Role]sdk.RoleState
}

func newMemoryTasks() *memoryTasks {
	return &memoryTasks{tasks: map[string]sdk.Task{}, digests: map[string]string{}, inputs: map[string]workflows.TaskInput{}, waiting: make(chan struct{}, 16)}
}

func (m *memoryTasks) CreateTask(_ context.Context, in workflows.TaskInput, digest string) (sdk.Task, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failure != nil {
		return sdk.Task{}, false, m.failure
	}
	key := in.Project + "/" + in.ID
	if first, taken := m.tasks[key]; taken {
		if m.digests[key] != digest {
			return sdk.Task{}, false, sdk.Errorf(sdk.CodeIdempotencyMismatch, "another body")
		}
		return first, true, nil
	}
	t := workflows.NewTask(in, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	m.tasks[key], m.digests[key], m.owner = t, digest, in.Organization
	m.inputs[key] = in
	return t, false, nil
}

func (m *memoryTasks) RetryTask(ctx context.Context, in workflows.TaskInput, digest string) (sdk.Task, bool, error) {
	t, err := m.GetTask(ctx, in.Project, in.RetryOf)
	if err != nil {
		return t, false, err
	}
	if !t.Status.Terminal() {
		return t, false, sdk.Errorf(sdk.CodeConflict, "it runs")
	}
	in.Request = m.inputs[in.Project+"/"+in.RetryOf].Request
	return m.CreateTask(ctx, in, digest)
}

func (m *memoryTasks) organization() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owner
}

func (m *memoryTasks) GetTask(_ context.Context, project, id string) (sdk.Task, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failure != nil {
		return sdk.Task{}, m.failure
	}
	if t, ok := m.stale[project+"/"+id]; ok {
		return t, nil
	}
	t, ok := m.tasks[project+"/"+id]
	if !ok {
		return sdk.Task{}, sdk.Errorf(sdk.CodeNotFound, "no such task")
	}
	return t, nil
}

func (m *memoryTasks) LookTask(ctx context.Context, project, id string) (sdk.Task, error) {
	m.mu.Lock()
	m.looks++
	delete(m.stale, project+"/"+id)
	m.mu.Unlock()
	return m.GetTask(ctx, project, id)
}

// change changes a task. GetTask goes on as before until it is looked at, where stale says so.
func (m *memoryTasks) change(project, id string, stale bool, how func(*sdk.Task)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tasks[project+"/"+id]
	if stale {
		m.stale = map[string]sdk.Task{project + "/" + id: t}
	}
	how(&t)
	m.tasks[project+"/"+id] = t
}

// ListTasks answers what it was asked for as an item, and knows one cursor.
func (m *memoryTasks) ListTasks(_ context.Context, project string, f sdk.TaskFilter, cursor string) (sdk.TaskPage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter = f
	if m.failure != nil {
		return sdk.TaskPage{}, m.failure
	}
	if cursor != "" && cursor != "more" {
		return sdk.TaskPage{}, invalid([]sdk.Fault{{Path: "query.cursor", Message: "is not one of this filter"}})
	}
	page := sdk.TaskPage{Items: []sdk.TaskSummary{}}
	for key, t := range m.tasks {
		if strings.HasPrefix(key, project+"/") {
			page.Items = append(page.Items, sdk.TaskSummary{ID: t.ID, Title: t.Title, Metadata: t.Metadata})
		}
	}
	if cursor == "" && len(page.Items) > 0 {
		page.NextCursor = "more"
	}
	return page, nil
}

func (m *memoryTasks) WaitTask(ctx context.Context, project, id string, wait time.Duration) (sdk.Task, error) {
	m.waiting <- struct{}{}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return m.GetTask(ctx, project, id)
}

func (m *memoryTasks) CancelTask(ctx context.Context, project, id, reason string) (sdk.Task, bool, error) {
	t, err := m.GetTask(ctx, project, id)
	m.reason = reason
	return t, err == nil && !t.Status.Terminal(), err
}

func (m *memoryTasks) ProvideInput(ctx context.Context, project, id string, _ workflows.ProvideInputInput) (sdk.Task, error) {
	return m.GetTask(ctx, project, id)
}

func (m *memoryTasks) ListProgress(ctx context.Context, project, id string) ([]sdk.Progress, bool, error) {
	_, err := m.GetTask(ctx, project, id)
	return nil, true, err
}

func (m *memoryTasks) Ready(context.Context) error { return m.failure }

// panicking stands for a handler with a bug.
type panicking struct{ *memoryTasks }

func (panicking) GetTask(context.Context, string, string) (sdk.Task, error) {
	panic("the secret of the handler")
}

func newTestServer(t testing.TB, tasks Tasks, logs io.Writer, change ...func(*Config)) *Server {
	t.Helper()
	cfg := Config{Addr: "127.0.0.1:0", ShutdownGrace: 5 * time.Second, Sessions: newMemorySessions(), Plans: newMemoryPlans()}
	for _, c := range change {
		c(&cfg)
	}
	s, err := New(cfg, tasks, slog.New(slog.NewJSONHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// call sends a request to the real handler, by default as a caller on this machine would.
func call(s *Server, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:3009"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		switch {
		case headers[i] == "Host":
			r.Host = headers[i+1]
		case headers[i+1] == "":
			r.Header.Del(headers[i])
		default:
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	ctx, gone := context.WithCancel(r.Context())
	defer gone()
	s.Handler().ServeHTTP(&leaving{w, gone}, r.WithContext(ctx))
	return w
}

// leaving is a caller of a stream that goes when it has what came first.
type leaving struct {
	*httptest.ResponseRecorder
	gone func()
}

func (l *leaving) Flush() {
	l.ResponseRecorder.Flush()
	l.gone()
}

func problemOf(t testing.TB, w *httptest.ResponseRecorder) sdk.Problem {
	t.Helper()
	var p sdk.Problem
	if got := w.Header().Get("Content-Type"); got != sdk.ProblemContentType {
		t.Fatalf("status %d has content type %q, want a problem document; body %.200s", w.Code, got, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("the problem document can not be read: %v", err)
	}
	if p.Status != w.Code || p.Code.HTTPStatus() != w.Code || p.Type == "" || p.Title == "" || p.Instance == "" || p.Instance != w.Header().Get("X-Request-Id") {
		t.Fatalf("the problem document does not fit its answer of status %d: %+v", w.Code, p)
	}
	return p
}

func taskFrom(t testing.TB, w *httptest.ResponseRecorder, status int) sdk.Task {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, want %d; body %.300s", w.Code, status, w.Body)
	}
	var task sdk.Task
	if err := json.Unmarshal(w.Body.Bytes(), &task); err != nil {
		t.Fatal(err)
	}
	return task
}

const okBody = `{"type":"code.write","title":"Write it"}`

func mustCreate(t testing.TB, s *Server) sdk.Task {
	t.Helper()
	return taskFrom(t, call(s, http.MethodPost, "/v1/tasks", okBody), http.StatusCreated)
}

// LookAtRole answers what roles has of a role, else that it is not known.
func (m *memoryTasks) LookAtRole(_ context.Context, _ string, role sdk.Role) sdk.RoleState {
	m.mu.Lock()
	defer m.mu.Unlock()
	if state, ok := m.roles[role]; ok {
		return state
	}
	return sdk.RoleState{Role: role, Unknown: true}
}

// OpenRoles answers those of roles that are not built in.
func (m *memoryTasks) OpenRoles(context.Context, string) (open []sdk.Role) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for role := range m.roles {
		if description(role) == "" {
			open = append(open, role)
		}
	}
	return open
}
