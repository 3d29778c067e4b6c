package apiserver

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestCreatePlan(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	w := call(s, http.MethodPost, "/v1/plans", okPlan)
	plan := answerOf[sdk.Plan](t, w, http.StatusCreated)
	if w.Header().Get("Location") != "/v1/plans/"+plan.ID || plan.Links.Events != "/v1/plans/"+plan.ID+"/events" || plan.Title != "Write it" {
		t.Errorf("%+v at %q", plan, w.Header().Get("Location"))
	}
	in := plansOf(t, s).created[0]
	if in.ID != plan.ID || in.Project != defaultScope || in.Organization != defaultScope || len(in.Request.Steps) != 2 || !slices.Equal(in.Request.Steps[1].Needs, []string{"write"}) {
		t.Errorf("what it starts with: %+v", in)
	}
	if again := answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", okPlan), http.StatusCreated); again.ID == plan.ID {
		t.Error("two plans are one")
	}
	goal := answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", `{"title":"Write it","goal":"a parser"}`), http.StatusCreated)
	if goal.Goal != "a parser" {
		t.Errorf("%+v", goal)
	}
}

// TestPlanKeys: two bodies of a key are the same where they mean the same.
func TestPlanKeys(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	const first = `{"title":"t","inputs":{"a":1,"b":{"x":1,"y":[2]}},"maxParallel":2,"steps":[{"id":"a","type":"code.write","title":"t","input":{"m":"${{ inputs.a }}","n":1.50}}],"outputs":{"o":"${{ steps.a.output }}"}}`
	plan := answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", first, "Idempotency-Key", "k"), http.StatusCreated)
	if len(plan.ID) > workflows.MaxPlanID {
		t.Errorf("the id %s is too long", plan.ID)
	}
	w := call(s, http.MethodPost, "/v1/plans", `{"outputs":{"o":"${{ steps.a.output }}"}, "goal":null, "maxParallel":2.0,
		"steps":[{"type":"code.write","title":"t","id":"a","needs":[],"input":{"n":1.50, "m":"${{ inputs.a }}"}}],"inputs":{"b":{"y":[2],"x":1},"a":1},"title":"t"}`, "Idempotency-Key", "k")
	if again := answerOf[sdk.Plan](t, w, http.StatusOK); again.ID != plan.ID || w.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("the same again: %+v %v", again, w.Header())
	}
	for _, change := range [][2]string{{`"a":1,`, `"a":2,`}, {`1.50`, `1.5`}, {`"o":`, `"p":`}, {`"y":[2]`, `"y":null`}, {`"maxParallel":2`, `"maxParallel":3`}} {
		p := problemOf(t, call(s, http.MethodPost, "/v1/plans", strings.Replace(first, change[0], change[1], 1), "Idempotency-Key", "k"))
		if p.Code != sdk.CodeIdempotencyMismatch {
			t.Errorf("%s: %+v", change[1], p)
		}
	}
	taskFrom(t, call(s, http.MethodPost, "/v1/tasks", okBody, "Idempotency-Key", "k"), http.StatusCreated) // whose keys are others
}

// TestPlanRefusals: everything that is wrong is told at once, that with the headers and the query too.
func TestPlanRefusals(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	body := `{"steps":[{"id":"a","type":"code.write","title":"t","needs":["b"],"nope":1},{"id":"b","type":"code.write","title":"t","needs":["a"]},
		{"id":"c","type":"code.write","title":"t","when":"1 +","input":"${{ steps.zzz.output }}","agentId":"x"}],"budget":{"usd":1},"maxParallel":"2"}`
	p := problemOf(t, call(s, http.MethodPost, "/v1/plans?dryRun=1", body, "Idempotency-Key", strings.Repeat("k", 256)))
	var paths []string
	for _, f := range p.Errors {
		paths = append(paths, f.Path)
	}
	for _, want := range []string{
		"query.dryRun", "header.Idempotency-Key", "$.title", "$.steps[0].nope", "$.steps[2].when", "$.steps[2].agentId", "$.budget", "$.maxParallel",
	} {
		if !slices.Contains(paths, want) {
			t.Errorf("%s is not named: %+v", want, p.Errors)
		}
	}
	for _, message := range []string{"→", "zzz"} { // the cycle, and what is not there
		if !slices.ContainsFunc(p.Errors, func(f sdk.Fault) bool { return strings.Contains(f.Message, message) }) {
			t.Errorf("nothing tells of %s: %+v", message, p.Errors)
		}
	}
	long, longest := strings.Repeat("a", workflows.MaxPlanID+1), strings.Repeat("a", 128)
	for _, tc := range []struct{ method, path, body, fault string }{
		{http.MethodGet, "/v1/plans?status=closed", "", "query.status"}, {http.MethodGet, "/v1/plans?status=input_required", "", "query.status"},
		{http.MethodGet, "/v1/plans?limit=0", "", "query.limit"}, {http.MethodGet, "/v1/plans?limit=201", "", "query.limit"}, {http.MethodGet, "/v1/plans?status=", "", "query.status"},
		{http.MethodGet, "/v1/plans?cursor=x", "", "query.cursor"}, {http.MethodGet, "/v1/plans/a?waitMs=60001", "", "query.waitMs"}, {http.MethodGet, "/v1/plans/a.b", "", "path.id"},
		{http.MethodGet, "/v1/plans/" + longest + "a", "", "path.id"}, {http.MethodGet, "/v1/plans/" + longest + "a/events", "", "path.id"}, {http.MethodGet, "/v1/plans/a/events?after=now", "", "query.after"},
		{http.MethodPost, "/v1/plans/" + longest + "a/cancel", "", "path.id"}, {http.MethodPost, "/v1/plans/a/cancel", `{"reason":"` + strings.Repeat("r", 1025) + `"}`, "$.reason"},
		{http.MethodPost, "/v1/plans/a/cancel", `{"why":1}`, "$.why"},
	} {
		if p := problemOf(t, call(s, tc.method, tc.path, tc.body)); p.Code != sdk.CodeInvalidInput || len(p.Errors) != 1 || p.Errors[0].Path != tc.fault {
			t.Errorf("%s: %+v", tc.path, p)
		}
	}
	for _, to := range []string{
		"GET /v1/plans/none", "GET /v1/plans/" + long[1:], "GET /v1/plans/none/events",
		"GET /v1/plans/" + long, "GET /v1/plans/" + longest + "/events", "POST /v1/plans/" + longest + "/cancel",
	} {
		method, path, _ := strings.Cut(to, " ")
		if p := problemOf(t, call(s, method, path, "")); p.Code != sdk.CodeNotFound || !strings.Contains(p.Detail, "no such plan") {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

// TestEveryFaultOfAPlanIsNamedOnce, also those of one place, and those that are not named are counted.
func TestEveryFaultOfAPlanIsNamedOnce(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	p := problemOf(t, call(s, http.MethodPost, "/v1/plans", `{"title":7,"steps":[{"id":"a","type":"code.write","title":"t","when":"steps.b.output == inputs.x + inputs.y","input":"${{ '`+aSecret("sk-")+`' }} ${{ '`+aSecret("sk-")+`' }}"}]}`))
	var got []string
	for _, f := range p.Errors {
		got = append(got, f.Path+" "+f.Message[:min(len(f.Message), 25)])
	}
	want := []string{
		"$.title must be a string", `$.steps[0].when reads the step "b", which`, "$.steps[0].when reads inputs.x, which the", "$.steps[0].when reads inputs.y, which the",
		"$.steps[0].input has an expression with wh",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	many := `{"title":"t","steps":[{"id":"a","type":"code.write","title":"t","input":[` + strings.TrimSuffix(strings.Repeat(`"${{",`, 300), ",") + `]}]}`
	p = problemOf(t, call(s, http.MethodPost, "/v1/plans", many))
	if len(p.Errors) != 100 || p.Errors[0].Path != "$" || p.Errors[0].Message != "has 201 more faults" {
		t.Errorf("%d faults: %+v", len(p.Errors), p.Errors[0])
	}
	p = problemOf(t, call(s, http.MethodPost, "/v1/plans?nope=1", many))
	if last := p.Errors[len(p.Errors)-1]; len(p.Errors) != maxFaults+1 || p.Errors[1].Message != "has 201 more faults" || last.Message != "1 more faults are not named" {
		t.Errorf("%d faults: %+v and %+v", len(p.Errors), p.Errors[1], last)
	}
}

func TestReadAndCancelPlans(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	plans := plansOf(t, s)
	plan := answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", okPlan), http.StatusCreated)
	one := "/v1/plans/" + plan.ID
	if got := answerOf[sdk.Plan](t, call(s, http.MethodGet, one, ""), http.StatusOK); got.ID != plan.ID || got.Links.Events != one+"/events" || len(plans.waiting) != 0 {
		t.Errorf("%+v, %d waits", got, len(plans.waiting))
	}
	if got := answerOf[sdk.Plan](t, call(s, http.MethodGet, one+"?waitMs=1", ""), http.StatusOK); got.ID != plan.ID || len(plans.waiting) != 1 {
		t.Errorf("%+v, %d waits", got, len(plans.waiting))
	}
	if got := answerOf[sdk.Plan](t, call(s, http.MethodPost, one+"/cancel", `{"reason":"not needed, password=hunter2"}`), http.StatusAccepted); got.Links.Events == "" || plans.reason != "not needed, password=[redacted]" {
		t.Errorf("%+v because of %q", got, plans.reason)
	}
	plan.Status, plan.CompletedAt = sdk.StatusCancelled, new(time.Now())
	plans.put(defaultScope, plan)
	if got := answerOf[sdk.Plan](t, call(s, http.MethodPost, one+"/cancel", ""), http.StatusOK); got.Status != sdk.StatusCancelled {
		t.Errorf("%+v", got)
	}
	page := answerOf[sdk.PlanPage](t, call(s, http.MethodGet, "/v1/plans?status=open&limit=7", ""), http.StatusOK)
	if len(page.Items) != 1 || page.Items[0].Links.Events == "" || !cmp.Equal(plans.filter, sdk.PlanFilter{Status: sdk.StatusOpen, Limit: 7}) {
		t.Errorf("%+v of %+v", page, plans.filter)
	}
	other := []string{headerOrganization, "another"}
	for _, r := range []struct{ method, path string }{
		{http.MethodGet, one}, {http.MethodGet, one + "?waitMs=60000"}, {http.MethodPost, one + "/cancel"}, {http.MethodGet, one + "/events"},
	} {
		if p := problemOf(t, call(s, r.method, r.path, "", other...)); p.Code != sdk.CodeNotFound {
			t.Errorf("another organization's: %s %s: %+v", r.method, r.path, p)
		}
	}
	if page := answerOf[sdk.PlanPage](t, call(s, http.MethodGet, "/v1/plans", "", other...), http.StatusOK); len(page.Items) != 0 {
		t.Errorf("another organization's: %+v", page)
	}
	if p := problemOf(t, call(s, http.MethodPost, "/v1/plans", okPlan, other...)); p.Code != sdk.CodeNotFound {
		t.Errorf("into another organization's project: %+v", p)
	}
}

// TestPlansWithoutAnEngine: a server that has no plans says so, once it may answer at all.
func TestPlansWithoutAnEngine(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, func(c *Config) { c.Plans = nil })
	asked := 0
	for _, r := range routesOf(t, s) {
		if !strings.HasPrefix(r.path, "/v1/plans") {
			continue
		}
		asked++
		if p := problemOf(t, r.call(s, "a")); p.Code != sdk.CodeUnavailable || !strings.Contains(p.Detail, "no plans") {
			t.Errorf("%s %s: %+v", r.method, r.path, p)
		}
	}
	if asked != 5 {
		t.Errorf("%d routes", asked)
	}
	s = newTestServer(t, newMemoryTasks(), io.Discard) // one without a log has plans, and no stream of them
	plan := answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", okPlan), http.StatusCreated)
	if p := problemOf(t, call(s, http.MethodGet, "/v1/plans/"+plan.ID+"/events", "")); p.Code != sdk.CodeUnavailable || plan.Links.Events != "" {
		t.Errorf("%+v, links %+v", p, plan.Links)
	}
}

// TestWaitsForPlansAreBounded: they are among those for tasks.
func TestWaitsForPlansAreBounded(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	secret, id := ring.create(t, shopKey())
	s := ring.server(t, newMemoryTasks(), io.Discard)
	plan := answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", okPlan, bearing(secret)...), http.StatusCreated)
	for range maxWaitsOfAKey {
		if _, err := s.waits.enter(caller{project: "shop", key: id}); err != nil {
			t.Fatal(err)
		}
	}
	w := call(s, http.MethodGet, "/v1/plans/"+plan.ID+"?waitMs=1", "", bearing(secret)...)
	if p := problemOf(t, w); p.Code != sdk.CodeRateLimited || w.Header().Get("Retry-After") == "" {
		t.Errorf("one wait too many: %+v", p)
	}
	answerOf[sdk.Plan](t, call(s, http.MethodGet, "/v1/plans/"+plan.ID, "", bearing(secret)...), http.StatusOK)
}
