package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// cli runs the program rolecall on a keys file and answers its standard output.
func cli(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	path, err := dev.Build(t.Context(), dev.Rolecall)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "TEMPORAL_CONFIG_FILE=/dev/null"}, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("rolecall %v: %w: %s", args, err, &stderr)
	}
	return stdout.String(), nil
}

// madeKey is a key as keys create prints it.
type madeKey struct{ Key, ID string }

func createKey(t *testing.T, file, organization, projects string, flags ...string) (made madeKey) {
	t.Helper()
	args := append([]string{"keys", "create", "--json", "--organization", organization, "--project", projects}, flags...)
	out, err := cli(t, []string{"ROLECALL_KEYS_FILE=" + file}, args...)
	if err == nil {
		err = json.Unmarshal([]byte(out), &made)
	}
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestTwoProjectsTwoKeys: nothing of one project can be had with the other's key, by any route that the API has.
func TestTwoProjectsTwoKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	shop, bank := createKey(t, file, "acme", "shop"), createKey(t, file, "vault", "bank")
	stack, err := dev.Start(t.Context(), dev.Options{Env: []string{"ROLECALL_KEYS_FILE=" + file, "ROLECALL_RATE_LIMIT=0"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("API: %s\ncontrol worker: %s", stack.API.LogTail(20), stack.Control.LogTail(20))
		}
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	s := newScene(t, stack)
	s.project = "shop"
	s.client = keyed(t, stack, shop.Key, "")
	s.worker("w", dev.Worker{})

	task := s.delegate(script{"*": {"touch:started", "until:go"}})
	s.appears("started")
	if task.FairnessKey != shop.ID {
		t.Errorf("the fairness key is %q, want %s", task.FairnessKey, shop.ID)
	}
	s.wantOrganization(task.ID, "acme")
	s.namesake(task.ID)
	s.isolated(task.ID, bank.Key)
	s.unguessed(task, shop.Key, bank.Key)
	s.eventsApart(shop.Key, bank.Key)
	s.sessionsApart(shop.Key, bank.Key)
	s.plansApart(shop.Key, bank.Key)

	s.doctorAndCommands(file, shop, bank, task.ID)
	s.touch("go")
	if got := s.ended(task.ID); got.Status != sdk.StatusCompleted {
		t.Errorf("the task is %s: %+v", got.Status, got.Result)
	}
	s.isolated(task.ID, bank.Key)
	s.listsApart(shop.Key, bank.Key)
	s.revoked(file, bank)
	log, err := os.ReadFile(stack.API.LogFile())
	s.do(err)
	if bytes.Contains(log, []byte(shop.Key)) || bytes.Contains(log, []byte(bank.Key)) || !bytes.Contains(log, []byte(bank.ID)) {
		t.Error("the API's log holds a key, or not the id of one")
	}
}

func keyed(t *testing.T, stack *dev.Stack, key, project string) *sdk.Client {
	t.Helper()
	c, err := sdk.NewClient(sdk.Config{URL: stack.URL(), APIKey: key, ProjectID: project})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantOrganization looks at what the task's run was started with.
func (s *scene) wantOrganization(id, want string) {
	s.t.Helper()
	h, err := historyOf(s.t.Context(), s.stack.Temporal(), workflows.TaskWorkflowID(s.project, id))
	s.do(err)
	var in workflows.TaskInput
	s.decode(h.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()[0], &in)
	if in.Organization != want || in.Project != s.project {
		s.t.Errorf("the run belongs to %s of %s, want %s of %s", in.Project, in.Organization, s.project, want)
	}
}

// isolated asks every route of the API's own document about a task, with a key that is not its project's: the answer is that about
// a task which is nowhere. Without a key, or with a wrong one, it is 401.
func (s *scene) isolated(id, foreign string) {
	s.t.Helper()
	const nowhere = "0198c0de-0000-7000-8000-000000000000"
	instance := regexp.MustCompile(`"instance":"[^"]*",?`)
	routes := s.routes()
	for _, r := range routes {
		for _, project := range []string{"", "shop", "bank", "nobodys"} {
			status, body := s.ask(r, id, foreign, project)
			noStatus, noBody := s.ask(r, nowhere, foreign, project)
			own := project == "" || project == "bank"
			about := strings.Contains(r.path, "{id}")
			switch {
			case about && (status != noStatus || instance.ReplaceAllString(body, "") != instance.ReplaceAllString(noBody, "")):
				s.t.Errorf("%s %s in project %q: %d %s, and %d %s for a task that is nowhere", r.method, r.path, project, status, body, noStatus, noBody)
			case (about || !own) && status != http.StatusNotFound:
				s.t.Errorf("%s %s in project %q: %d %s", r.method, r.path, project, status, body)
			}
			if strings.Contains(body, id) {
				s.t.Errorf("%s %s in project %q tells of the task: %s", r.method, r.path, project, body)
			}
		}
		for _, key := range []string{"", "rk_wrong"} {
			if status, body := s.ask(r, id, key, ""); status != http.StatusUnauthorized {
				s.t.Errorf("%s %s with the key %q: %d %s", r.method, r.path, key, status, body)
			}
		}
	}
	if task, err := s.client.GetTask(s.t.Context(), id); err != nil || task.Status == sdk.StatusCancelled {
		s.t.Errorf("the task after all that: %+v %v", task, err)
	}
}

type route struct{ method, path string }

func (s *scene) routes() []route {
	s.t.Helper()
	_, body := s.ask(route{http.MethodGet, "/openapi.json"}, "", "", "")
	var doc struct {
		Paths map[string]map[string]any
	}
	s.do(json.Unmarshal([]byte(body), &doc))
	var found []route
	for path, methods := range doc.Paths {
		for method := range methods {
			found = append(found, route{strings.ToUpper(method), path})
		}
	}
	if len(found) < 5 {
		s.t.Fatalf("the API has %d routes", len(found))
	}
	return found
}

// ask sends a request of a route about a task.
func (s *scene) ask(r route, id, key, project string) (status int, body string) {
	s.t.Helper()
	send := ""
	switch {
	case r.method != http.MethodPost:
	case r.path == "/v1/tasks":
		send = `{"type":"code.write","title":"t"}`
	case r.path == "/v1/agents":
		send = `{"name":"Bob","role":"coder"}`
	case r.path == "/v1/plans":
		send = `{"title":"t","steps":[{"id":"a","type":"research.codebase","title":"t"}]}`
	case r.path == "/v1/sessions/{id}/tasks":
		send = `{"type":"execute","prompt":"do it"}`
	case r.path == "/v1/events":
		send = `{"type":"build.finished"}`
	case strings.HasSuffix(r.path, "/output"):
		send = `{"attempt":1,"frames":[{"text":"x"}]}`
	case strings.HasSuffix(r.path, "/input"):
		send = `{"requestId":"q","answer":1}`
	case strings.HasSuffix(r.path, "/ack"), strings.HasSuffix(r.path, "/nack"), strings.HasSuffix(r.path, "/extend"):
		send = `{"acks":["none"]}`
	case strings.HasSuffix(r.path, "/claim"):
		send = `{"agentId":"ada"}`
	case strings.HasSuffix(r.path, "/fail"):
		send = `{"error":{"code":"x","message":"x"}}`
	case strings.HasSuffix(r.path, "/input-required"):
		send = `{"prompt":"x"}`
	case strings.HasSuffix(r.path, "/key"):
		send = `{"stage":0,"attempt":1}`
	default:
		send = `{}`
	}
	path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(strings.ReplaceAll(r.path, "{id}", id), "coder")
	req, err := http.NewRequestWithContext(s.t.Context(), r.method, s.stack.URL()+path, strings.NewReader(send))
	s.do(err)
	req.Host = "rolecall.example"
	if send != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if project != "" {
		req.Header.Set("Rolecall-Project", project)
	}
	resp, err := http.DefaultClient.Do(req)
	s.do(err)
	if resp.Header.Get("Content-Type") == "text/event-stream" { // what comes first is enough: it may never end
		first := make([]byte, 4<<10)
		n, err := resp.Body.Read(first)
		if errors.Is(err, io.EOF) { // that of a task which has ended
			err = nil
		}
		s.do(errors.Join(err, resp.Body.Close()))
		return resp.StatusCode, string(first[:n])
	}
	raw, err := io.ReadAll(resp.Body)
	s.do(errors.Join(err, resp.Body.Close()))
	return resp.StatusCode, string(raw)
}

// ofEvents reports whether the route needs the event log.
func (r route) ofEvents() bool {
	return strings.HasPrefix(r.path, "/v1/events") || strings.HasSuffix(r.path, "/events") || strings.HasSuffix(r.path, "/output")
}

// ofSession reports whether the route is about one session.
func (r route) ofSession() bool { return strings.HasPrefix(r.path, "/v1/sessions/{id}") }

// ofPlan reports whether the route is about one plan.
func (r route) ofPlan() bool { return strings.HasPrefix(r.path, "/v1/plans/{id}") }

// ofLease reports whether the route is about one lease, which only a claim makes.
func (r route) ofLease() bool { return strings.HasPrefix(r.path, "/v1/leases/") }

// doctorAndCommands shows the command line with the right key, another's and none.
func (s *scene) doctorAndCommands(file string, own, foreign madeKey, id string) {
	s.t.Helper()
	env := func(key string) []string {
		return []string{"EVENTS_SERVICE_URL=" + s.stack.URL(), "EVENTS_API_KEY=" + key, "TEMPORAL_ADDRESS=" + client.DefaultHostPort + "0"}
	}
	if out, err := cli(s.t, env(own.Key), "task", "get", id, "--json"); err != nil || !strings.Contains(out, id) {
		s.t.Errorf("with its key: %s %v", out, err)
	}
	for key, says := range map[string]string{foreign.Key: "not_found", "": "EVENTS_API_KEY", "rk_wrong": "EVENTS_API_KEY"} {
		if out, err := cli(s.t, env(key), "task", "get", id); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), foreign.Key) {
			s.t.Errorf("with another: %s %v", out, err)
		}
	}
	if out, err := cli(s.t, env("rk_wrong"), "doctor"); err == nil || !strings.Contains(out, "does not let this caller in") {
		s.t.Errorf("doctor with a wrong key: %s %v", out, err)
	}
	if _, err := cli(s.t, []string{"ROLECALL_KEYS_FILE=" + file}, "keys", "create", "--organization", "vault", "--project", "shop"); err == nil {
		s.t.Error("a project of two organizations")
	}
}

// revoked ends a key while the server runs.
func (s *scene) revoked(file string, k madeKey) {
	s.t.Helper()
	c := keyed(s.t, s.stack, k.Key, "")
	if _, err := c.GetTask(s.t.Context(), "none"); !errors.Is(err, sdk.ErrNotFound) {
		s.t.Errorf("before: %v", err)
	}
	_, err := cli(s.t, []string{"ROLECALL_KEYS_FILE=" + file}, "keys", "revoke", k.ID)
	s.do(err)
	s.do(dev.Until(s.t.Context(), patience, func(ctx context.Context) error {
		if _, err := c.GetTask(ctx, "none"); !errors.Is(err, sdk.ErrUnauthenticated) {
			return fmt.Errorf("the revoked key is answered %w", err)
		}
		return nil
	}))
	next := createKey(s.t, file, "vault", "bank")
	s.do(dev.Until(s.t.Context(), patience, func(ctx context.Context) error {
		if _, err := keyed(s.t, s.stack, next.Key, "bank").GetTask(ctx, "none"); !errors.Is(err, sdk.ErrNotFound) {
			return fmt.Errorf("the new key is answered %w", err)
		}
		return nil
	}))
}
