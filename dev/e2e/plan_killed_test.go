package e2e_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

var planKills = flag.Int("plan-kills", 1, "how often parts of the stack are killed in the middle of the plan of 30 steps, 6 at most: all at once, and with 6 each of them alone before")

const (
	lanes     = 4
	laneSteps = 6
)

// TestPlanOutlivesRestarts does a plan of 30 steps while everything is killed and started again, part by part and all at once: event log, Temporal,
// control worker, API and the worker with all its agents. It ends as the same plan does that nothing disturbs, and each step has done its
// work outside once for each time that it was to be done, as a ledger has it that no part of the stack keeps.
func TestPlanOutlivesRestarts(t *testing.T) {
	t.Parallel()
	stack := ownStack(t)
	calm := newScene(t, stack)
	calm.worker("calm", dev.Worker{Slots: 2 * lanes})
	for depth := range laneSteps {
		calm.touch(goesOn(depth))
	}
	undisturbed := calm.plans(calm.thirtySteps())

	s := newScene(t, stack)
	worker := s.worker("worker", dev.Worker{Slots: 2 * lanes})
	want := undisturbed.outcome() // nothing is killed before
	undisturbed.wantLedger(want)
	p := s.plans(s.thirtySteps())
	began := time.Now()
	for depth := range laneSteps {
		s.eventually(fmt.Sprintf("the steps %d of all lanes", depth+1), 2*patience, func() error { return p.inTheMiddle(depth) })
		if depth >= laneSteps-*planKills {
			s.restarts(depth, worker)
		}
		s.touch(goesOn(depth))
	}
	got := p.outcome()
	if diff := cmp.Diff(outcomes(want), outcomes(got)); diff != "" {
		t.Errorf("the plan that nothing disturbed (-) and this one (+):\n%s", diff)
	}
	p.wantStands(got, sdk.StatusCompleted, standing(want)...)
	p.wantLedger(got)
	t.Logf("%d kills; the plan took %s, and %s undisturbed", *planKills, time.Since(began), want.CompletedAt.Sub(want.CreatedAt))
}

// goesOn is the file that the steps of all lanes at a depth wait for.
func goesOn(depth int) string { return fmt.Sprintf("go-%d", depth) }

// thirtySteps is a plan of four lanes, each of whose steps counts on from the one before; of their sum something is written, which is sent back
// once, and published. The scripts are expressions in part. Each step does its work, and then waits where the test says so.
func (s *scene) thirtySteps() sdk.PlanRequest {
	s.t.Helper()
	step := func(id string, kind sdk.TaskType, needs []string, does ...string) sdk.PlanStep {
		input, err := json.Marshal(map[string]any{"dir": s.dir, "attempts": script{"*": append([]string{"effect:" + id}, does...)}})
		s.do(err)
		return sdk.PlanStep{
			ID: id, Type: kind, Role: sdk.RoleCoder, Title: "Step " + id, Needs: needs, Input: input,
			Retry: &sdk.Retry{MaxAttempts: 20, InitialIntervalMs: 100}, Timeouts: &sdk.Timeouts{HeartbeatMs: 5000},
		}
	}
	plan := sdk.PlanRequest{Title: "Thirty steps", Inputs: rawJSON(map[string]string{"from": "10"}), MaxParallel: lanes}
	plan.Steps = append(plan.Steps, step("seed", sdk.TypeCodeWrite, nil, `result:{"n":${{ inputs.from }}}`))
	var ends, sum []string
	for lane := range lanes {
		before := "seed"
		for depth := range laneSteps {
			id := fmt.Sprintf("lane%d-%d", lane, depth)
			plan.Steps = append(plan.Steps, step(id, sdk.TypeCodeWrite, []string{before},
				"until:"+goesOn(depth), fmt.Sprintf(`result:{"n":${{ steps[%q].output.n + %d }}}`, before, lane)))
			before = id
		}
		ends, sum = append(ends, before), append(sum, fmt.Sprintf(`steps[%q].output.n`, before))
	}
	plan.Steps = append(plan.Steps,
		step("join", sdk.TypeCodeWrite, ends, `result:{"n":${{ `+strings.Join(sum, " + ")+` }}}`),
		step("write", sdk.TypeCodeWrite, []string{"join"}, `again:result:{"good":true,"n":${{ steps.join.output.n }}}`, `result:{"good":false,"n":0}`),
		step("review", sdk.TypeCodeReview, []string{"write"}, `whole:{"output":"read","qualityGatePassed":${{ steps.write.output.good }}}`),
		step("publish", sdk.TypeCodeWrite, []string{"review"}, `result:"${{ steps.write.output.n }} is published"`),
		step("report", sdk.TypeCodeDocument, []string{"publish"}, `result:"${{ steps.publish.output }}"`),
	)
	plan.Steps[len(plan.Steps)-3].Gate = &sdk.Gate{Rework: "write"}
	plan.Outputs = rawJSON(map[string]string{"report": `"${{ steps.report.output }}"`, "sum": `"${{ steps.join.output.n }}"`})
	return plan
}

// inTheMiddle returns nil when every lane's step of that depth has done its work, and waits.
func (p *planned) inTheMiddle(depth int) error {
	done := p.ledger()
	for lane := range lanes {
		if id := fmt.Sprintf("lane%d-%d", lane, depth); len(done[id]) == 0 {
			return errors.New(id + " has not begun")
		}
	}
	return nil
}

// ledger is what the agents of the scene did outside: how often each task has done it, by step.
func (s *scene) ledger() map[string]map[string]int {
	s.t.Helper()
	raw, err := os.ReadFile(s.path("effects"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	done := map[string]map[string]int{}
	for line := range strings.Lines(string(raw)) {
		task, step, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found {
			continue // being written
		}
		if done[step] == nil {
			done[step] = map[string]int{}
		}
		done[step][task]++
	}
	return done
}

// wantLedger checks that each step's work was done by one task, and by one more for each time that it was sent back. What an attempt of the same
// task did again when the one before was lost is the same to whoever knows the task's id: it counts once.
func (p *planned) wantLedger(plan *sdk.Plan) {
	p.t.Helper()
	done, repeated := p.ledger(), 0
	for _, s := range plan.Steps {
		if len(done[s.ID]) != 1+s.Reworks || done[s.ID][s.TaskID] == 0 {
			p.t.Errorf("the work of %s, %d times sent back, its last task %s, was done by %v", s.ID, s.Reworks, s.TaskID, done[s.ID])
		}
		for _, times := range done[s.ID] {
			repeated += times - 1
		}
	}
	if len(done) != len(plan.Steps) {
		p.t.Errorf("the ledger has %d steps, the plan %d", len(done), len(plan.Steps))
	}
	p.t.Logf("%d steps; %d attempts did again what a lost one had done", len(done), repeated)
}

// outcomes are a plan without what differs between two runs of it.
func outcomes(plan *sdk.Plan) sdk.Plan {
	same := sdk.Plan{Title: plan.Title, Status: plan.Status, Outputs: plan.Outputs, Error: plan.Error, Steps: slices.Clone(plan.Steps)}
	for i := range same.Steps {
		s := &same.Steps[i]
		s.TaskID, s.AgentID, s.StartedAt, s.CompletedAt = "", "", nil, nil
	}
	return same
}
