package rolecall_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// codmirNames is every name that the README of @codmir/events-sdk shows, by what it is about.
func codmirNames() []string {
	var names []string
	add := func(prefix, list string) {
		for name := range strings.FieldsSeq(list) {
			names = append(names, prefix+name)
		}
	}
	add("", "createEventClient serviceUrl agentId projectId organizationId client.publish client.subscribe type data event")
	add("", "createTaskScheduler registerAgent name role capabilities requestCode title description input priority waitForTask result.output delegateToRole")
	add("", "startProcessing task.id task.title task.input reportProgress percentage message status output metrics.durationMs metrics.tokensUsed")
	add("", "EventsModuleDefinition SchedulerModuleDefinition global autoRegister agentConfig @OnEvent @OnTask @Module @Injectable")
	add("", "coordinator coder reviewer tester documenter researcher planner debugger security devops")
	add("TaskTypes.", "CODE_WRITE CODE_REVIEW CODE_REFACTOR CODE_DEBUG CODE_TEST CODE_DOCUMENT RESEARCH_CODEBASE RESEARCH_DOCUMENTATION RESEARCH_BEST_PRACTICES")
	add("TaskTypes.", "PLAN_FEATURE PLAN_ARCHITECTURE PLAN_MIGRATION DEVOPS_DEPLOY DEVOPS_MONITOR DEVOPS_SCALE SECURITY_AUDIT SECURITY_FIX")
	add("EventTypes.", "AGENT_REGISTERED AGENT_STATUS_CHANGED AGENT_HEARTBEAT TASK_CREATED TASK_ASSIGNED TASK_STARTED TASK_PROGRESS TASK_COMPLETED TASK_FAILED")
	add("EventTypes.", "AI_MESSAGE AI_REQUEST AI_RESPONSE AI_DELEGATION CODE_GENERATED CODE_REVIEWED CODE_TESTED CODE_DEPLOYED")
	add("", "EVENTS_SERVICE_URL EVENTS_API_KEY AGENT_ID PROJECT_ID ORGANIZATION_ID TASK_POLLING_INTERVAL AGENT_HEARTBEAT_INTERVAL")
	return names
}

// TestFromCodmir holds docs/from-codmir.md to what it is about: every name of that README has a place in its tables, and what it says of package sdk
// is so.
func TestFromCodmir(t *testing.T) {
	t.Parallel()
	page := textOf(t, filepath.Join("docs", "from-codmir.md"))
	rows := tableRows(page)
	var left strings.Builder
	for _, row := range rows {
		left.WriteString(row[0] + " ")
	}
	for _, name := range codmirNames() {
		if in := regexp.MustCompile(`(^|[^\w.])` + regexp.QuoteMeta(name) + `($|\W)`); !in.MatchString(left.String()) {
			t.Errorf("the page has no row for %s", name)
		}
	}
	s := readSDK(t)
	for _, found := range regexp.MustCompile(`\bsdk\.([A-Z]\w*)`).FindAllStringSubmatch(page, -1) {
		if _, ok := s.names[found[1]]; !ok {
			t.Errorf("the page speaks of sdk.%s, which is not there", found[1])
		}
	}
	receivers := map[string]string{"client": "Client", "presence": "Presence", "worker": "Worker", "svc": "Service", "r": "Reporter", "task": "Task"}
	for _, found := range regexp.MustCompile(`\b(client|presence|worker|svc|r|task)\.([A-Z]\w*)\(`).FindAllStringSubmatch(page, -1) {
		if !slices.Contains(s.methods[receivers[found[1]]], found[2]) {
			t.Errorf("the page calls %s.%s, which is not there", found[1], found[2])
		}
	}
	for _, row := range rows {
		found := regexp.MustCompile("^`sdk\\.(Type|Event|Role)(\\w+)`$").FindStringSubmatch(row[1])
		switch {
		case found == nil:
		case found[1] == "Role":
			checkRole(t, s.names["Role"+found[2]], row)
		case row[2] != "`"+s.names[found[1]+found[2]]+"`":
			t.Errorf("sdk.%s is %q, and the page says %s", found[1]+found[2], s.names[found[1]+found[2]], row[2])
		}
	}
}

// checkRole compares the types that a role gets by itself.
func checkRole(t *testing.T, role string, row []string) {
	t.Helper()
	if row[0] != "`"+role+"`" {
		t.Errorf("the role %s is called %s", role, row[0])
	}
	for kind := range strings.SplitSeq(strings.ReplaceAll(row[2], "`", ""), ", ") {
		if its, _ := sdk.TaskType(kind).DefaultRole(); string(its) != role {
			t.Errorf("%s goes to %q, and the page says %s", kind, its, role)
		}
	}
}

// TestFromCodmirShowsThePrograms: its Go is that of programs which are compiled and tested.
func TestFromCodmirShowsThePrograms(t *testing.T) {
	t.Parallel()
	var sources strings.Builder
	for _, file := range []string{
		"examples/coordinator/main.go", "examples/coder/main.go", "examples/review-service/main.go", "sdk/sdktest/example_test.go",
	} {
		sources.WriteString(withoutIndent(textOf(t, file)))
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(textOf(t, filepath.Join("docs", "from-codmir.md")), -1)
	if len(blocks) == 0 {
		t.Error("the page shows no Go")
	}
	for _, block := range blocks {
		if !strings.Contains(sources.String(), withoutIndent(block[1])) {
			t.Errorf("none of the programs has\n%s", block[1])
		}
	}
}

func textOf(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// tableRows are the cells of the rows of a page's tables.
func tableRows(page string) (rows [][]string) {
	for line := range strings.Lines(page) {
		if inner, ok := strings.CutPrefix(strings.TrimSpace(line), "| "); ok && !strings.HasPrefix(inner, "there ") {
			cells := strings.Split(strings.TrimSuffix(inner, "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

func withoutIndent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimLeft(line, "\t"))
	}
	return b.String()
}

// declared is what package sdk exports: the names at its top, with the values of constants, and the methods of its types.
type declared struct {
	names   map[string]string
	methods map[string][]string
}

func readSDK(t *testing.T) declared {
	t.Helper()
	files, err := filepath.Glob("sdk/*.go")
	if err != nil {
		t.Fatal(err)
	}
	d := declared{names: map[string]string{}, methods: map[string][]string{}}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				d.function(decl)
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					d.declaration(spec)
				}
			}
		}
	}
	return d
}

func (d declared) function(decl *ast.FuncDecl) {
	if decl.Recv == nil {
		d.names[decl.Name.Name] = ""
		return
	}
	of := decl.Recv.List[0].Type
	if pointer, ok := of.(*ast.StarExpr); ok {
		of = pointer.X
	}
	if of, ok := of.(*ast.Ident); ok {
		d.methods[of.Name] = append(d.methods[of.Name], decl.Name.Name)
	}
}

func (d declared) declaration(spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		d.names[spec.Name.Name] = ""
		if of, ok := spec.Type.(*ast.InterfaceType); ok {
			for _, method := range of.Methods.List {
				for _, name := range method.Names {
					d.methods[spec.Name.Name] = append(d.methods[spec.Name.Name], name.Name)
				}
			}
		}
	case *ast.ValueSpec:
		for i, name := range spec.Names {
			value := ""
			if i < len(spec.Values) {
				if literal, ok := spec.Values[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
					value, _ = strconv.Unquote(literal.Value) // the parser has read it
				}
			}
			d.names[name.Name] = value
		}
	}
}
