package workflows

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestPromptOf(t *testing.T) {
	t.Parallel()
	known := &sdk.SessionContext{
		Episodes:   []sdk.Episode{{ID: "ep-041", Summary: "Added\nlogin", Outcome: "success"}, {ID: "ep-042", Summary: "Forms", Outcome: "partial"}},
		Memory:     &sdk.Memory{Goal: "Ship it", Discoveries: []string{"tests are slow"}, WorkingSet: []string{"auth.go", "forms.go"}},
		SkillHints: []sdk.SkillHint{{Name: "forms", SuccessRate: 0.875}, {Name: "auth", SuccessRate: 1}},
		Metadata:   map[string]string{"repo": "shop", "branch": "main"},
	}
	before := learnt{lessons: []string{"look twice"}, followUps: []string{"write docs"}, episodeRefs: []string{"ep-050"}}
	for name, tc := range map[string]struct {
		request sdk.SessionTaskRequest
		role    sdk.Role
		gates   bool
		before  learnt
		want    sdk.SessionPrompt
	}{
		"all of it": {
			sdk.SessionTaskRequest{Type: sdk.TypeExecute, Prompt: "Add validation\n  to the forms ", Context: known}, sdk.RoleCoder, true, before,
			sdk.SessionPrompt{Tool: "nity_execute", Prompt: `[Coder Mode — Focus on implementation, correctness, and code quality.]
Check the result against the quality gates, and reflect on the work: say which gates passed, what was learnt and what is to follow.

Task: Add validation
  to the forms

---
Context from previous work:
Relevant episodes:
  - [ep-041] Added login → success
  - [ep-042] Forms → partial
Memory context:
  Goal: Ship it
  Discoveries:
    - tests are slow
  Working set:
    - auth.go
    - forms.go
Skill hints:
  - forms (success rate 87.5%)
  - auth (success rate 100%)
Metadata:
  - branch: main
  - repo: shop
Lessons of this session:
  - look twice
Follow-ups of this session:
  - write docs
Episodes of this session:
  - ep-050`},
		},
		"nothing before": {
			sdk.SessionTaskRequest{Type: sdk.TypeAnalyze, Prompt: "Look", Context: &sdk.SessionContext{Memory: &sdk.Memory{}}}, sdk.RoleCoordinator, false, learnt{},
			sdk.SessionPrompt{Tool: "nity_analyze", Prompt: "[Coordinator Mode — Focus on analysis, planning, and judgement.]\n\nTask: Look"},
		},
		"another role": {
			sdk.SessionTaskRequest{Type: sdk.TypeCodeTest, Prompt: "Test"}, sdk.RoleTester, false, learnt{},
			sdk.SessionPrompt{Prompt: "[Tester Mode — writes and runs tests and reports what fails]\n\nTask: Test"},
		},
		"a role of somebody's own": {
			sdk.SessionTaskRequest{Type: "own.thing", Prompt: "Do it"}, "poet", false, learnt{},
			sdk.SessionPrompt{Prompt: "[Poet Mode]\n\nTask: Do it"},
		},
		"a budget": {
			sdk.SessionTaskRequest{Type: "own.thing", Prompt: "Do it all at once", MaxPromptTokens: 8}, "poet", false, learnt{},
			sdk.SessionPrompt{Prompt: "[Poet Mode]\n\nTask:[...truncated]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tc.want, promptOf(tc.request, tc.role, tc.gates, tc.before)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPromptNamesTheToolOfAnAgentThatHasIt(t *testing.T) {
	t.Parallel()
	r := sdk.SessionTaskRequest{Type: sdk.TypeValidate, Prompt: strings.Repeat("word ", 100), MaxPromptTokens: 100}
	p := promptOf(r, sdk.RoleCoordinator, true, learnt{})
	with := strings.Split(p.Text("other", "nity_quality_gate"), "\n")
	if with[0] != coordinatorLine || with[1] != "Use the nity_quality_gate tool for this task." || with[2] != gatesLine {
		t.Errorf("%q", with)
	}
	if n := utf8.RuneCountInString(p.Text("nity_quality_gate")); n != 400 {
		t.Errorf("a budget of 100 tokens gives %d characters", n)
	}
	if p.Text("other", "") != p.Prompt || p.Text() != p.Prompt {
		t.Error("an agent without the tool is told of it")
	}
}

func TestCollapse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                             "",
		" \n\t ":                       "",
		"a  b\t\tc ":                   "a b c",
		"\n\n a\n\n\n\nb\r\n\r\n\r\nc": "a\n\nb\n\nc",
		"def f():\n    return  1\n":    "def f():\n    return 1",
		"a\u2028b\u0085c\rd":           "a\nb\nc\nd",
		"a\x00\x1b[0mb\u00a0 c":        "a[0mb c",
	} {
		if got := collapse(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestTitleOf(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 300)
	for in, want := range map[string]string{
		"Fix it":                   "Fix it",
		"\n \n  Fix\tthe  form \n": "Fix the form",
		"\x01\x02\x03":             "execute",
		long:                       strings.Repeat("ä", 199) + "…",
		long[:400]:                 strings.Repeat("ä", 199) + "…",
		long[:398]:                 long[:398],
	} {
		got := titleOf(sdk.TypeExecute, in)
		if got != want {
			t.Errorf("%q became %q", in, got)
		}
		if err := (sdk.TaskRequest{Type: sdk.TypeExecute, Title: got}).Validate(); err != nil {
			t.Error(err)
		}
	}
}

// FuzzPromptOf: whatever is sent makes a task that can be carried out, inside its bounds.
func FuzzPromptOf(f *testing.F) {
	f.Add("Add input validation", "ep-041", "a summary", 0, true)
	f.Add("  a\n\n\nb", "", "", 1, false)
	f.Add("\u2028\u2029\ufffd\"\\", "\x00", "\t", 20, true)
	f.Add(strings.Repeat("\"", 100_000), "x", strings.Repeat("\u2028", 2000), 0, false)
	f.Fuzz(func(t *testing.T, prompt, id, text string, tokens int, gates bool) {
		r := sdk.SessionTaskRequest{Type: sdk.TypeExecute, Prompt: prompt, MaxPromptTokens: tokens, Context: &sdk.SessionContext{
			Episodes: []sdk.Episode{{ID: id, Summary: text, Outcome: text}}, Memory: &sdk.Memory{Goal: text, Discoveries: []string{text, id}},
			Metadata: map[string]string{id: text, text: id},
		}}
		c := newConversation(SessionInput{Project: "p", ID: "s1", Config: sdk.SessionConfig{QualityGates: gates}}, noon())
		in := c.taskInput(waitingTask{SendTaskInput: SendTaskInput{TaskID: SessionTaskID("s1", "1"), Request: r}}, learnt{lessons: []string{text}})
		if err := in.Request.Validate(); err != nil && utf8.ValidString(prompt) {
			t.Fatal(err)
		}
		var p sdk.SessionPrompt
		if err := json.Unmarshal(in.Request.Input, &p); err != nil {
			t.Fatal(err)
		}
		if size, err := EncodedSize(p.Prompt); err != nil || size > maxPromptBytes {
			t.Fatalf("%d bytes, %v", size, err)
		}
		n, most := utf8.RuneCountInString(p.Text(p.Tool)), max(budget(tokens, ""), len(sdk.ToolLine(p.Tool))+1+len(truncated))
		if tokens > 0 && n > most {
			t.Fatalf("%d characters of %d", n, most)
		}
		if strings.ContainsFunc(p.Prompt, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
			t.Fatalf("%q", p.Prompt)
		}
	})
}
