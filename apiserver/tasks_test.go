package apiserver

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestCreateAndRead(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	body := `{"type":"code.write","title":"t","priority":"urgent","description":null,"input":{"n":9007199254740993,"big":1e999}}`
	w := call(s, http.MethodPost, "/v1/tasks", body)
	created := taskFrom(t, w, http.StatusCreated)
	if got := w.Header().Get("Location"); got != "/v1/tasks/"+created.ID {
		t.Errorf("Location %q", got)
	}
	if created.Priority != sdk.PriorityCritical || created.Role != sdk.RoleCoder || created.Status != sdk.StatusQueued {
		t.Errorf("not as resolved: %+v", created)
	}
	w = call(s, http.MethodGet, "/v1/tasks/"+created.ID, "", "Accept", "text/html, */*;q=0.1")
	if got := string(taskFrom(t, w, http.StatusOK).Input); got != `{"n":9007199254740993,"big":1e999}` {
		t.Errorf("the input became %s", got)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	if p := problemOf(t, call(s, http.MethodGet, "/v1/tasks/"+created.ID, "", "Rolecall-Project", "other")); p.Code != sdk.CodeNotFound {
		t.Errorf("another project sees the task: %+v", p)
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	if w := call(s, http.MethodHead, "/healthz", ""); w.Code != http.StatusOK {
		t.Errorf("HEAD: %d", w.Code)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	tasks := newMemoryTasks()
	s := newTestServer(t, tasks, io.Discard)
	task := mustCreate(t, s)
	taskFrom(t, call(s, http.MethodPost, "/v1/tasks/"+task.ID+"/cancel", `{"reason":"enough"}`), http.StatusAccepted)
	if tasks.reason != "enough" {
		t.Errorf("the reason became %q", tasks.reason)
	}
	taskFrom(t, call(s, http.MethodPost, "/v1/tasks/"+task.ID+"/cancel", ""), http.StatusAccepted)
	task.Status = sdk.StatusCompleted
	tasks.tasks["default/"+task.ID] = task
	taskFrom(t, call(s, http.MethodPost, "/v1/tasks/"+task.ID+"/cancel", `{}`), http.StatusOK)
}

func TestProvideInputTakesAnyJSON(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	task := mustCreate(t, s)
	for _, answer := range []string{`null`, `false`, `{"a":[1]}`} {
		taskFrom(t, call(s, http.MethodPost, "/v1/tasks/"+task.ID+"/input", `{"requestId":"input-0-1","answer":`+answer+`}`), http.StatusOK)
	}
}

func TestProgressList(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	task := mustCreate(t, s)
	w := call(s, http.MethodGet, "/v1/tasks/"+task.ID+"/progress", "")
	if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != `{"items":[],"stale":true}` {
		t.Errorf("%d %s", w.Code, got)
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	post := func(body string, headers ...string) (sdk.Task, string, int) {
		w := call(s, http.MethodPost, "/v1/tasks", body, append([]string{"Idempotency-Key", "a key"}, headers...)...)
		var task sdk.Task
		if w.Code < 300 {
			task = taskFrom(t, w, w.Code)
		}
		return task, w.Header().Get("Idempotent-Replayed"), w.Code
	}
	first, replayed, code := post(`{"type":"code.write","title":"a","input":{"x":9007199254740993,"y":[1,2]}}`)
	if code != http.StatusCreated || replayed != "" || !sdk.ValidID(first.ID) {
		t.Fatalf("first: %d %q %q", code, replayed, first.ID)
	}
	again, replayed, code := post(` { "input" : {"y":[1,2],"x":9007199254740993}, "title":"\u0061", "type":"code.write" } `)
	if code != http.StatusOK || replayed != "true" || again.ID != first.ID {
		t.Errorf("the same in other letters: %d %q %q", code, replayed, again.ID)
	}
	for name, body := range map[string]string{
		"a number one off": `{"type":"code.write","title":"a","input":{"x":9007199254740992,"y":[1,2]}}`,
		"another order":    `{"type":"code.write","title":"a","input":{"x":9007199254740993,"y":[2,1]}}`,
		"another title":    `{"type":"code.write","title":"b","input":{"x":9007199254740993,"y":[1,2]}}`,
	} {
		w := call(s, http.MethodPost, "/v1/tasks", body, "Idempotency-Key", "a key")
		if p := problemOf(t, w); p.Code != sdk.CodeIdempotencyMismatch {
			t.Errorf("%s: %+v", name, p)
		}
	}
	other, replayed, code := post(`{"type":"code.write","title":"a"}`, "Rolecall-Project", "other")
	if code != http.StatusCreated || replayed != "" || other.ID == first.ID {
		t.Errorf("the key in another project: %d %q", code, replayed)
	}
}

func TestIdempotencyIsByValue(t *testing.T) {
	t.Parallel()
	const first = `{"type":"code.write","title":"a","retry":{"maxAttempts":2,"backoffCoefficient":2},"input":{"x":9007199254740993}}`
	for name, tt := range map[string]struct {
		body string
		same bool
	}{
		"2.0 for a number":          {`{"type":"code.write","title":"a","retry":{"maxAttempts":2,"backoffCoefficient":2.0},"input":{"x":9007199254740993}}`, true},
		"2.0 for a whole number":    {`{"type":"code.write","title":"a","retry":{"maxAttempts":2.0,"backoffCoefficient":2},"input":{"x":9007199254740993}}`, true},
		"null for what is left out": {`{"type":"code.write","title":"a","retry":{"maxAttempts":2,"backoffCoefficient":2,"maxIntervalMs":null},"input":{"x":9007199254740993},"description":null,"priority":null,"metadata":null,"budget":null,"fallback":null,"timeouts":null}`, true},
		"the number below":          {`{"type":"code.write","title":"a","retry":{"maxAttempts":2,"backoffCoefficient":2},"input":{"x":9007199254740992}}`, false},
		"null in the input":         {`{"type":"code.write","title":"a","retry":{"maxAttempts":2,"backoffCoefficient":2},"input":{"x":9007199254740993,"y":null}}`, false},
		"another coefficient":       {`{"type":"code.write","title":"a","retry":{"maxAttempts":2,"backoffCoefficient":2.5},"input":{"x":9007199254740993}}`, false},
		"no retry":                  {`{"type":"code.write","title":"a","input":{"x":9007199254740993}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestServer(t, newMemoryTasks(), io.Discard)
			id := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", first, "Idempotency-Key", "k"), http.StatusCreated).ID
			w := call(s, http.MethodPost, "/v1/tasks", tt.body, "Idempotency-Key", "k")
			if !tt.same {
				if p := problemOf(t, w); p.Code != sdk.CodeIdempotencyMismatch {
					t.Errorf("%+v", p)
				}
				return
			}
			if again := taskFrom(t, w, http.StatusOK); again.ID != id || w.Header().Get("Idempotent-Replayed") != "true" {
				t.Errorf("another task: %s", again.ID)
			}
		})
	}
}

func TestWholeNumbersByValue(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	const input = `{ "b":1.0, "a":"<" }`
	got := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", task(`"timeouts":{"queueMs":6e4},"retry":{"maxAttempts":7.0},"input":`+input)), http.StatusCreated)
	if got.Timeouts.QueueMs != 60_000 || got.Retry.MaxAttempts != 7 || !strings.HasPrefix(string(got.Input), `{"b":1.0,"a"`) {
		t.Errorf("%+v, %+v, input %s", got.Timeouts, got.Retry, got.Input)
	}
	for _, number := range []string{"1000.5", "1e400", "1e300", "9007199254740993.0"} {
		if p := problemOf(t, call(s, http.MethodPost, "/v1/tasks", task(`"timeouts":{"queueMs":`+number+`}`))); p.Code != sdk.CodeInvalidInput {
			t.Errorf("%s: %+v", number, p)
		}
	}
}

func TestWaitsAreBounded(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	task := mustCreate(t, s)
	s.waits.all = maxWaits
	w := call(s, http.MethodGet, "/v1/tasks/"+task.ID+"?waitMs=1", "")
	if p := problemOf(t, w); p.Code != sdk.CodeRateLimited || w.Header().Get("Retry-After") == "" {
		t.Errorf("one wait too many: %+v", p)
	}
	taskFrom(t, call(s, http.MethodGet, "/v1/tasks/"+task.ID, ""), http.StatusOK)
	s.waits.all = maxWaits - 1
	taskFrom(t, call(s, http.MethodGet, "/v1/tasks/"+task.ID+"?waitMs=1", ""), http.StatusOK)
	if n := s.waits.all; n != maxWaits-1 || len(s.waits.ofKey) != 0 {
		t.Errorf("%d waits are counted when they are over: %v", n-(maxWaits-1), s.waits.ofKey)
	}
}

// TestWaitsOfAKeyAreBounded: two keys can not use up what there is for all.
func TestWaitsOfAKeyAreBounded(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	s := ring.server(t, newMemoryTasks(), io.Discard)
	task := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", okBody, bearing(ring.shop)...), http.StatusCreated)
	busy, ok := s.keys.Find(ring.shop)
	if !ok {
		t.Fatal("no key")
	}
	leaving := make([]func(), maxWaitsOfAKey)
	for i := range leaving {
		leave, err := s.waits.enter(caller{key: busy.ID})
		if err != nil {
			t.Fatalf("wait %d: %v", i, err)
		}
		leaving[i] = leave
	}
	wait := func(secret string) *httptest.ResponseRecorder {
		return call(s, http.MethodGet, "/v1/tasks/"+task.ID+"?waitMs=1", "", append(bearing(secret), headerProject, "shop")...)
	}
	w := wait(ring.shop)
	if p := problemOf(t, w); p.Code != sdk.CodeRateLimited || w.Header().Get("Retry-After") == "" {
		t.Errorf("one wait too many: %+v", p)
	}
	taskFrom(t, wait(ring.both), http.StatusOK)
	leaving[0]()
	taskFrom(t, wait(ring.shop), http.StatusOK)
	for _, leave := range leaving[1:] {
		leave()
	}
	if s.waits.all != 0 || len(s.waits.ofKey) != 0 {
		t.Errorf("counted when they are over: %d, %v", s.waits.all, s.waits.ofKey)
	}
}

func TestCanonicalJSONKeepsNumbers(t *testing.T) {
	t.Parallel()
	tree, _, err := parseJSON([]byte(`{"b":1.0,"a":[1e999,-0,"<\u00e9>"]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, encodeErr := canonicalJSON(tree)
	if encodeErr != nil || string(got) != `{"a":[1e999,-0,"<é>"],"b":1.0}` {
		t.Errorf("%s, %v", got, encodeErr)
	}
}

// FuzzCreateTask holds that whatever is sent is either a task or a problem document that blames the sender.
func FuzzCreateTask(f *testing.F) {
	for _, seed := range []string{okBody, `{}`, `null`, `[1,`, `{"type":"code.write","title":"t","input":1e999}`, task(`"fallback":[null,{"retry":{"maxAttempts":"x"}}]`),
		task(`"metadata":{"\u0000":"x"}`), "{\"type\":\"\xff\"}", `{"input":` + strings.Repeat("[", 70), task(`"retry":null,"timeouts":{"queueMs":-0}`)} {
		f.Add([]byte(seed), "")
		f.Add([]byte(seed), "key")
	}
	s := newTestServer(f, newMemoryTasks(), io.Discard)
	f.Fuzz(func(t *testing.T, body []byte, key string) {
		w := call(s, http.MethodPost, "/v1/tasks", string(body), "Content-Type", "application/json", "Idempotency-Key", key)
		if w.Code < 300 {
			var echo sdk.Task
			if err := json.Unmarshal(w.Body.Bytes(), &echo); err != nil || !json.Valid(body) || !bytes.Contains(w.Body.Bytes(), []byte(`"id"`)) {
				t.Fatalf("accepted %q: %d %s", body, w.Code, w.Body)
			}
			return
		}
		if p := problemOf(t, w); p.Status >= 500 {
			t.Fatalf("%q gave %+v", body, p)
		}
	})
}
