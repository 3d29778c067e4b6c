package workflows

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	charactersOfToken = 4
	truncated         = "[...truncated]"
	// maxPromptBytes is how many bytes a prompt may take as JSON, so that it fits into the input of a task.
	maxPromptBytes = sdk.MaxInput - 4<<10
)

const (
	coderLine       = "[Coder Mode — Focus on implementation, correctness, and code quality.]"
	coordinatorLine = "[Coordinator Mode — Focus on analysis, planning, and judgement.]"
	gatesLine       = "Check the result against the quality gates, and reflect on the work: say which gates passed, what was learnt and what is to follow."
)

// learnt is what a session's finished tasks have left for those that follow.
type learnt struct {
	lessons, followUps, episodeRefs []string
}

// promptOf is what the agent of a task is told: who it is, what is to be done, and what was known before, in the order in which a budget
// would miss it the least. Role is the one that does it.
func promptOf(r sdk.SessionTaskRequest, role sdk.Role, gates bool, before learnt) sdk.SessionPrompt {
	var b strings.Builder
	b.WriteString(roleLine(role) + "\n")
	if gates {
		b.WriteString(gatesLine + "\n")
	}
	b.WriteString("\nTask: " + collapse(r.Prompt) + "\n")
	if known := contextOf(r.Context, before); known != "" {
		b.WriteString("\n---\nContext from previous work:\n" + known)
	}
	p := sdk.SessionPrompt{Prompt: strings.TrimRight(b.String(), "\n"), Tool: r.Type.Tool()}
	p.Prompt = fit(p.Prompt, budget(r.MaxPromptTokens, p.Tool), maxPromptBytes)
	return p
}

// budget is how many characters a prompt may have, less the line that names its tool; without a budget there is no end of them.
func budget(tokens int, tool string) int {
	if tokens <= 0 || tokens > math.MaxInt/charactersOfToken {
		return math.MaxInt
	}
	characters := tokens * charactersOfToken
	if tool != "" {
		characters -= len(sdk.ToolLine(tool)) + 1
	}
	return max(characters, 0)
}

// roleLine says what to attend to.
func roleLine(role sdk.Role) string {
	switch role {
	case sdk.RoleCoder:
		return coderLine
	case sdk.RoleCoordinator:
		return coordinatorLine
	default:
	}
	name := "Agent"
	if role != "" {
		name = strings.ToUpper(string(role[:1])) + string(role[1:])
	}
	for _, known := range sdk.BuiltinRoles() {
		if known.Role == role {
			return "[" + name + " Mode — " + known.Description + "]"
		}
	}
	return "[" + name + " Mode]"
}

// contextOf is what was known before a task: what its sender says of it, then what the session's own tasks have left. "" is nothing.
func contextOf(c *sdk.SessionContext, before learnt) string {
	var b strings.Builder
	if c != nil {
		episodes := make([]string, len(c.Episodes))
		for i, e := range c.Episodes {
			episodes[i] = "[" + oneLine(e.ID) + "] " + oneLine(e.Summary) + " → " + oneLine(e.Outcome)
		}
		writeList(&b, "Relevant episodes:", "  ", episodes)
		writeMemory(&b, c.Memory)
		hints := make([]string, len(c.SkillHints))
		for i, h := range c.SkillHints {
			hints[i] = fmt.Sprintf("%s (success rate %s%%)", oneLine(h.Name), strconv.FormatFloat(math.Round(h.SuccessRate*1000)/10, 'f', -1, 64))
		}
		writeList(&b, "Skill hints:", "  ", hints)
		writeList(&b, "Metadata:", "  ", pairs(c.Metadata))
	}
	writeList(&b, "Lessons of this session:", "  ", before.lessons)
	writeList(&b, "Follow-ups of this session:", "  ", before.followUps)
	writeList(&b, "Episodes of this session:", "  ", before.episodeRefs)
	return b.String()
}

func writeMemory(b *strings.Builder, m *sdk.Memory) {
	if m == nil || m.Goal == "" && len(m.Discoveries)+len(m.WorkingSet) == 0 {
		return
	}
	b.WriteString("Memory context:\n")
	if m.Goal != "" {
		b.WriteString("  Goal: " + oneLine(m.Goal) + "\n")
	}
	writeList(b, "  Discoveries:", "    ", m.Discoveries)
	writeList(b, "  Working set:", "    ", m.WorkingSet)
}

// writeList writes a heading and a line for each item; nothing of an empty list.
func writeList(b *strings.Builder, heading, indent string, items []string) {
	if len(items) == 0 {
		return
	}
	b.WriteString(heading + "\n")
	for _, item := range items {
		b.WriteString(indent + "- " + oneLine(item) + "\n")
	}
}

// pairs are those of a map, by name.
func pairs(m map[string]string) []string {
	names := make([]string, 0, len(m))
	//workflowcheck:ignore
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = oneLine(name) + ": " + oneLine(m[name])
	}
	return names
}
