package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/cmd/planfile"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestPlanExamples: every plan of examples/plans can be run, and the tutorial shows it as it is.
func TestPlanExamples(t *testing.T) {
	t.Parallel()
	examples := filepath.Join("..", "..", "examples", "plans")
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "tutorial-plans.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(examples, "*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range append(files, filepath.Join(examples, "agent.sh")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(file); !strings.Contains(string(page), "examples/plans/"+name) {
			t.Errorf("the tutorial does not name %s", name)
		}
		if filepath.Ext(file) != ".yaml" {
			continue
		}
		f, err := planfile.Read(file, strings.NewReader(string(text)))
		if err == nil {
			err = f.Explain(workflows.CheckPlan(f.Request))
		}
		if err != nil {
			t.Error(errorText(err))
		}
		if !strings.Contains(string(page), "```yaml\n"+string(text)+"```\n") {
			t.Errorf("the tutorial does not show %s as it is", file)
		}
	}
}

// TestPlanExampleAgent: what the tutorial says of its agent.
func TestPlanExampleAgent(t *testing.T) {
	t.Parallel()
	type answer struct {
		Result *sdk.Result
		Error  *sdk.TaskError
	}
	for name, tc := range map[string]struct {
		kind, input string
		want        answer
	}{
		"writes":            {"code.write", `{}`, answer{Result: &sdk.Result{Output: raw(`{"file": "parser.go", "tests": false}`)}}},
		"writes anew":       {"code.write", `{"feedback": {"from": "review"}}`, answer{Result: &sdk.Result{Output: raw(`{"file": "parser.go", "tests": true}`)}}},
		"reviews":           {"code.review", `{"code": {"tests": true}}`, answer{Result: &sdk.Result{Output: raw(`{"summary": "fine"}`), QualityGatePassed: new(true), QualityGate: raw(`{"score": 95}`)}}},
		"is not content":    {"code.review", `{"code": {"tests": false}}`, answer{Result: &sdk.Result{Output: raw(`{"summary": "no tests"}`), QualityGatePassed: new(false), QualityGate: raw(`{"score": 40}`)}}},
		"tests":             {"code.test", `{"break": false}`, answer{Result: &sdk.Result{Output: raw(`{"passed": 12, "failed": 0}`)}}},
		"finds it broken":   {"code.test", `{"break": true}`, answer{Error: &sdk.TaskError{Code: "agent_failed", Message: "it does not compile"}}},
		"does other things": {"code.debug", `{}`, answer{Result: &sdk.Result{Output: raw(`{"done": true}`)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got answer
			if err := json.Unmarshal(agentSays(t, tc.kind, tc.input), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, tc := range map[string]struct {
		input string
		good  bool
	}{"plans badly": {`{"goal": "g"}`, false}, "plans again": {`{"goal": "g", "faults": [{"path": "$.steps[1].needs[0]"}]}`, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got struct {
				Result struct{ Output sdk.PlanRequest }
			}
			if err := json.Unmarshal(agentSays(t, "plan.feature", tc.input), &got); err != nil {
				t.Fatal(err)
			}
			plan := got.Result.Output
			plan.Title = "t"
			if err := workflows.CheckPlan(plan); (err == nil) != tc.good {
				t.Errorf("%v of %+v", err, plan)
			}
		})
	}
}

func raw(s string) json.RawMessage { return json.RawMessage(s) }

// agentSays is the last line of the example's agent on a task.
func agentSays(t *testing.T, kind, input string) []byte {
	t.Helper()
	agent := exec.CommandContext(t.Context(), "sh", filepath.Join("..", "..", "examples", "plans", "agent.sh"))
	agent.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "ROLECALL_TASK_TYPE=" + kind}
	agent.Stdin = strings.NewReader(`{"task": {"id": "t", "input": ` + input + `}, "attempt": 1}` + "\n")
	out, err := agent.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return []byte(lines[len(lines)-1])
}
