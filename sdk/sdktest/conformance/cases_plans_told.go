package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// refusesPlans sends what the client would not.
func refusesPlans(s *scene) {
	s.code("no JSON", s.post("/v1/plans", `{"title":`), sdk.CodeInvalidJSON)
	s.code("nothing to do", s.post("/v1/plans", `{"title":"t","colour":"red"}`), sdk.CodeInvalidInput, "$.colour", "$.steps")
	s.code("a cycle", s.post("/v1/plans", `{"title":"t","steps":[
		{"id":"a","type":"code.write","title":"A","needs":["b"]},{"id":"b","type":"code.test","title":"B","needs":["a"]}]}`), sdk.CodeInvalidInput, "$.steps[0].needs")
	s.code("an unknown step", s.post("/v1/plans", `{"title":"t","steps":[{"id":"a","type":"code.write","title":"A","needs":["b"]}]}`),
		sdk.CodeInvalidInput, "$.steps[0].needs[0]")
	s.code("expressions", s.post("/v1/plans", `{"title":"t","steps":[
		{"id":"a","type":"code.write","title":"A","input":{"x":["${{ inputs. }}"]}},
		{"id":"b","type":"code.test","title":"B","when":"steps.a.output.ok"},
		{"id":"c","type":"code.test","title":"C","when":"1 +"}],"outputs":{"o":"${{ steps.z.output }}"}}`),
		sdk.CodeInvalidInput, "$.steps[0].input.x[0]", "$.steps[1].when", "$.steps[2].when", "$.outputs.o")
	s.code("a gate", s.post("/v1/plans", `{"title":"t","steps":[
		{"id":"a","type":"code.write","title":"A"},{"id":"b","type":"code.review","title":"B","gate":{"rework":"a"}}]}`), sdk.CodeInvalidInput, "$.steps[1].gate.rework")
	s.code("too many steps", s.post("/v1/plans", `{"title":"t","maxSteps":1,"steps":[{"id":"a","type":"code.write","title":"A"},{"id":"b","type":"code.write","title":"B"}]}`),
		sdk.CodeInvalidInput, "$.steps")
	if plans, err := s.client.ListPlans(s.Context(), sdk.PlanFilter{}, ""); err != nil || len(plans.Items) > 0 {
		s.Errorf("after refusals there are %+v, %v", plans, err)
	}
}

func replaysPlan(s *scene) {
	create := func(key, title string) (*sdk.Plan, error) {
		return s.client.CreatePlan(s.Context(), sdk.PlanRequest{Title: title, Steps: []sdk.PlanStep{step("a", sdk.TypeCodeWrite)}}, sdk.IdempotencyKey(key))
	}
	first, err := create("k-1", "Write it")
	s.do(err)
	again, err := create("k-1", "Write it")
	s.do(err)
	if again.ID != first.ID || !again.CreatedAt.Equal(first.CreatedAt) {
		s.Errorf("the same key and request made another plan: %s and %s", first.ID, again.ID)
	}
	other, err := create("k-2", "Write it")
	s.do(err)
	if other.ID == first.ID {
		s.Error("another key made the same plan")
	}
	_, err = create("k-1", "Write something else")
	s.code("the key with another request", err, sdk.CodeIdempotencyMismatch)
}

// listedPlans waits until a list is of these plans, in this order.
func (s *scene) listedPlans(what string, filter sdk.PlanFilter, want ...string) {
	s.Helper()
	s.eventually(what, func() error {
		got := []string{}
		for plan, err := range s.client.Plans(s.Context(), filter) {
			if err != nil {
				return err
			}
			if len(plan.Outputs) > 0 || slices.ContainsFunc(plan.Steps, func(s sdk.Step) bool { return s.Output != nil }) {
				return fmt.Errorf("listed with outputs: %+v", plan)
			}
			got = append(got, plan.ID)
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("listed %q, want %q", got, want)
		}
		return nil
	})
}

func listsPlans(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", echoing())
	s.Agent(sdk.RoleDebugger, "bob", failing())
	of := func(kind sdk.TaskType) *sdk.Plan {
		return s.plan([]sdk.PlanStep{step("a", kind, given(`{"n":1}`))}, func(r *sdk.PlanRequest) { r.Outputs = s.values(`{"n":"${{ steps.a.status }}"}`) })
	}
	done := of(sdk.TypeCodeWrite)
	s.planEnded(done.ID)
	waits := of(sdk.TypeCodeTest)
	fails := of(sdk.TypeCodeDebug)
	s.planEnded(fails.ID)
	stopped := of(sdk.TypeCodeTest)
	_, err := s.client.CancelPlan(s.Context(), stopped.ID, "")
	s.do(err)
	s.planEnded(stopped.ID)
	last := of(sdk.TypeCodeTest)
	s.listedPlans("all, the open ones first, the latest first", sdk.PlanFilter{}, last.ID, waits.ID, stopped.ID, fails.ID, done.ID)
	s.listedPlans("by pages of two", sdk.PlanFilter{Limit: 2}, last.ID, waits.ID, stopped.ID, fails.ID, done.ID)
	s.listedPlans("open ones", sdk.PlanFilter{Status: sdk.StatusOpen}, last.ID, waits.ID)
	s.listedPlans("completed ones", sdk.PlanFilter{Status: sdk.StatusCompleted}, done.ID)
	s.listedPlans("failed ones", sdk.PlanFilter{Status: sdk.StatusFailed}, fails.ID)
	s.listedPlans("cancelled ones", sdk.PlanFilter{Status: sdk.StatusCancelled}, stopped.ID)
	page, err := s.client.ListPlans(s.Context(), sdk.PlanFilter{Limit: 2}, "")
	s.do(err)
	_, err = s.client.ListPlans(s.Context(), sdk.PlanFilter{Limit: 2, Status: sdk.StatusFailed}, page.NextCursor)
	s.code("the cursor of another filter", err, sdk.CodeInvalidInput, "query.cursor")
	_, err = s.client.ListTasks(s.Context(), sdk.TaskFilter{}, page.NextCursor)
	s.code("the cursor of another list", err, sdk.CodeInvalidInput, "query.cursor")
}

// tellsPlan reads the stream of a plan while it runs, and a part of it again.
func tellsPlan(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", echoing())
	s.Agent(sdk.RoleTester, "tess", echoing())
	plan := s.plan([]sdk.PlanStep{
		step("write", sdk.TypeCodeWrite, given(`{"n":1}`)),
		step("test", sdk.TypeCodeTest, needing("write"), when("steps.write.output.n == 2")),
		step("check", sdk.TypeCodeTest, needing("write"), given(`"${{ steps.write.output.n }}"`)),
	}, func(r *sdk.PlanRequest) { r.Outputs = s.values(`{"n":"${{ steps.check.output }}"}`) })
	told := s.planStory(plan.ID)
	ended := s.planEnded(plan.ID)
	own, tasks := []sdk.Event{}, map[string][]string{}
	for _, e := range told {
		if e.Plan != plan.ID || e.Project != s.client.Config().ProjectID || e.Sequence == "" || e.Time.IsZero() {
			s.Errorf("an event of another plan, or without a place: %+v", e)
		}
		if e.Task != "" && strings.HasPrefix(string(e.Type), "task.") {
			tasks[e.Task] = append(tasks[e.Task], string(e.Type))
			continue
		}
		if strings.HasPrefix(string(e.Type), "plan.") {
			own = append(own, e)
		}
	}
	for i, e := range own {
		if e.Seq != i+1 || !strings.HasSuffix(e.Source, "/plans/"+plan.ID) || e.Subject != "plan/"+plan.ID {
			s.Errorf("event %d of the plan is of another story, or out of turn: %+v", i+1, e)
		}
	}
	whole := []string{"task.created", "task.assigned", "task.started", "task.completed"}
	if d := cmp.Diff(map[string][]string{ended.Step("write").TaskID: whole, ended.Step("check").TaskID: whole}, tasks); d != "" {
		s.Errorf("of its tasks the stream tells (-want +got):\n%s", d)
	}
	raw, err := json.Marshal(own)
	s.do(err)
	s.maskedStory("tells_plan", withoutIDs(raw, plan.ID))
	rest := s.planStory(plan.ID, sdk.ResumeAfter(told[2].Sequence))
	if len(rest) != len(told)-3 || rest[0].Sequence != told[3].Sequence {
		s.Errorf("after event 3 of %d there are %d", len(told), len(rest))
	}
}

func (s *scene) planStory(id string, opts ...sdk.FollowOption) []sdk.Event {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	list := []sdk.Event{}
	for e, err := range s.client.PlanEvents(ctx, id, opts...) {
		s.do(err)
		list = append(list, *e)
	}
	return list
}
