package rolecall_test

import (
	"slices"
	"strings"
	"testing"
)

// rules are the layout of the two modules: who may import whom, and why. "@/" is the root of the repository; "..." at the end of
// a path stands for it and everything below it.
var rules = []rule{
	{
		from:   []string{"@/sdk/..."},
		except: []string{"@/sdk/sdktest/..."},
		only:   []string{"@/sdk/...", "github.com/caarlos0/env/v11"},
		why:    "sdk is what callers and agents import: it stays small and knows none of our other packages",
	},
	{
		from:    []string{"@/sdk/..."},
		except:  []string{"@/sdk/sdktest/..."},
		never:   []string{"go.temporal.io/...", "github.com/gin-gonic/...", "github.com/danielgtaylor/huma/...", "github.com/nats-io/...", "google.golang.org/..."},
		through: true,
		why:     "whoever imports sdk must not get an engine or a web framework with it",
	},
	{
		from: []string{"@/sdk/transcript"},
		only: []string{"@/sdk/transcript"},
		why:  "reading what agents print needs nothing but the standard library, wherever it is done",
	},
	{
		from: []string{"@/sdk/sdktest/..."},
		only: []string{
			"@/sdk/...", "@/activities", "@/workflows", "@/workers", "@/apiserver", "@/apiserver/engine", "@/eventlog", "@/registry",
			"go.temporal.io/sdk/temporal", "go.temporal.io/sdk/converter", "go.temporal.io/api/enums/v1", "github.com/google/go-cmp/cmp",
		},
		why: "the test kit is made of the real handlers, the real course of a task and the real answers of a worker, and the real event log on a directory of its own, so that it can not differ; it reaches no engine",
	},
	{
		from:   []string{"@/..."},
		except: []string{"@/sdk/sdktest/..."},
		never:  []string{"@/sdk/sdktest/..."},
		why:    "the test kit is for tests: a program that imported it would carry the whole service",
	},
	{
		from: []string{"@/activities/..."},
		only: []string{"@/activities/...", "@/sdk/...", "go.temporal.io/sdk/workflow", "go.temporal.io/sdk/activity", "go.temporal.io/sdk/temporal"},
		why:  "activities hold shapes and typed calls that workflows use too; what they need from outside comes through interfaces",
	},
	{
		from:   []string{"@/workflows/..."},
		except: []string{"@/workflows/expression"},
		only: []string{
			"@/workflows/...", "@/activities/...", "@/sdk/...", "go.temporal.io/sdk/workflow", "go.temporal.io/sdk/temporal", "go.temporal.io/api/enums/v1",
			"go.temporal.io/sdk/converter", "go.temporal.io/api/common/v1", "github.com/google/jsonschema-go/jsonschema",
		},
		why: "workflow code is replayed: it decides from its history and its arguments alone, so it has no engine client, event log or framework to ask",
	},
	{
		from: []string{"@/workflows/expression"},
		only: []string{"@/sdk", "cel.dev/cel-go/..."},
		why:  "an expression is computed from its text and the values that it is given: it knows no order of steps, and no engine",
	},
	{
		from:   []string{"@/..."},
		except: []string{"@/workflows/expression"},
		never:  []string{"cel.dev/cel-go/...", "github.com/google/cel-go/..."},
		why:    "what an expression may cost, and that it answers the same when it is replayed, is seen to in one place",
	},
	{
		from:  []string{"@/workflows/...", "@/activities/..."},
		never: []string{"os/...", "net/...", "syscall", "crypto/rand", "math/rand/...", "database/sql/...", "log/..."},
		why:   "a file, a socket, a random number or a process's environment gives another answer when the code is replayed",
	},
	{
		from:    []string{"@/workflows/...", "@/activities/..."},
		never:   []string{"@/eventlog/...", "@/apiserver/...", "@/workers/...", "@/cmd/..."},
		through: true,
		why:     "imports run one way: cmd, then apiserver and workers, then workflows, then activities, then sdk",
	},
	{
		from: []string{"@/eventlog/..."},
		only: []string{"@/eventlog/...", "@/sdk/...", "github.com/nats-io/...", "github.com/gofrs/flock", "github.com/google/uuid", "golang.org/x/sync/..."},
		why:  "the event log knows events and NATS: tasks, HTTP and Temporal are other people's business",
	},
	{
		from: []string{"@/registry/..."},
		only: []string{"@/registry/...", "@/eventlog", "@/sdk/...", "github.com/google/uuid", "golang.org/x/sync/singleflight"},
		why:  "the registry knows agents and the buckets of the event log: tasks, HTTP and Temporal are other people's business",
	},
	{
		from:   []string{"@/..."},
		except: []string{"@/eventlog/...", "@/dev/..."},
		never:  []string{"github.com/nats-io/..."},
		why:    "NATS is the event log's own business",
	},
	{
		from:   []string{"@/..."},
		except: []string{"@/apiserver"},
		never:  []string{"github.com/gin-gonic/...", "github.com/danielgtaylor/huma/..."},
		why:    "the web framework is the API's own business; its Temporal side and everybody else work without HTTP",
	},
	{
		from:   []string{"@/..."},
		except: []string{"@/apiserver"},
		never:  []string{"github.com/cloudevents/..."},
		why:    "callers send CloudEvents to the API, which checks them; inside they are sdk.Event",
	},
	{
		from:   []string{"@/..."},
		except: []string{"@/apiserver/engine/...", "@/workers", "@/cmd/...", "@/dev/..."},
		never:  []string{"go.temporal.io/sdk/client", "go.temporal.io/sdk/contrib/envconfig", "go.temporal.io/api/workflowservice/..."},
		why:    "who can reach Temporal is in few hands: the API's Temporal side, worker processes, and the commands that build them",
	},
	{
		from:   []string{"@/..."},
		except: []string{"@/cmd/telemetry"},
		never: []string{
			"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/sdk/...", "go.opentelemetry.io/otel/exporters/...", "go.temporal.io/sdk/contrib/opentelemetry",
			"github.com/prometheus/client_golang/prometheus/promhttp", "github.com/prometheus/client_golang/prometheus/promauto",
		},
		why: "a part counts into the registry and traces with the tracer that it is given; where they lead is decided once, by the commands",
	},
	{
		from:   []string{"@/..."},
		except: []string{"@/workers/...", "@/cmd/...", "@/dev/..."},
		never:  []string{"go.temporal.io/sdk/worker"},
		why:    "only worker processes run workers",
	},
	{
		from:   []string{"@/..."},
		except: []string{"@/workers/...", "@/cmd/...", "@/dev/...", "@/examples/..."},
		never:  []string{"@/workers/agents/..."},
		why:    "an agent adapter is chosen by whoever starts a worker",
	},
	{
		from:    []string{"@/workers/agents/..."},
		never:   []string{"go.temporal.io/...", "@/workers", "@/workflows/...", "@/activities/...", "@/apiserver/..."},
		through: true,
		why:     "an adapter makes an sdk.Handler of a program: it can be used, and tested, without any engine",
	},
	{
		from:   []string{"@/..."},
		except: []string{"@/workers/agents/openai"},
		never:  []string{"github.com/openai/..."},
		why:    "one adapter speaks to models itself; rolecall has no other business with them",
	},
	{
		from:    []string{"@/apiserver/..."},
		never:   []string{"@/workers/...", "@/cmd/..."},
		through: true,
		why:     "the API runs nothing itself; it talks to workers through Temporal",
	},
	{
		from:    []string{"@/workers/..."},
		never:   []string{"@/apiserver/...", "@/cmd/..."},
		through: true,
		why:     "a worker reaches the API over HTTP, if at all",
	},
	{
		from:   []string{"@/..."},
		except: []string{"@/dev/temporal"},
		never:  []string{"go.temporal.io/server/...", "github.com/temporalio/ui-server/..."},
		why:    "the Temporal server takes minutes to compile: one package links it",
	},
	{
		from:   []string{"@/..."},
		except: []string{"@/dev/cmd/rolecall-dev"},
		never:  []string{"@/dev/temporal"},
		why:    "tests and commands start the server as a program, so that they stay small",
	},
}

func TestImportsFollowTheLayout(t *testing.T) {
	t.Parallel()
	g := importGraph(t, ".", "dev")
	for _, r := range rules {
		for _, pattern := range append(slices.Clone(r.from), r.except...) {
			if !slices.ContainsFunc(g.ours(), func(pkg string) bool { return matches(pattern, pkg) }) {
				t.Errorf("no package matches %s, named in the rule: %s", pattern, r.why)
			}
		}
		for _, breach := range r.check(g) {
			t.Errorf("%s\n  because %s", breach, r.why)
		}
	}
}

// TestRulesCatchABreach feeds each kind of rule a graph that breaks it and one that keeps it.
func TestRulesCatchABreach(t *testing.T) {
	t.Parallel()
	g := graph{
		"@/sdk":              {"strings", "example.com/small"},
		"@/sdk/sdktest":      {"@/sdk"},
		"example.com/small":  {"example.com/deep"},
		"example.com/deep":   {"example.com/engine/v2"},
		"@/workflows":        {"@/sdk", "os"},
		"@/apiserver":        {"example.com/web"},
		"@/apiserver/engine": {"@/workflows"},
	}
	for name, test := range map[string]struct {
		rule rule
		want []string // of each breach, a part
	}{
		"only: an import from outside the list": {
			rule{from: []string{"@/sdk/..."}, only: []string{"@/sdk/..."}}, []string{"@/sdk imports example.com/small"},
		},
		"only: the standard library needs no entry": {
			rule{from: []string{"@/workflows"}, only: []string{"@/sdk"}}, nil,
		},
		"never: a direct import": {
			rule{from: []string{"@/workflows"}, never: []string{"os/..."}}, []string{"@/workflows imports os"},
		},
		"never: a longer name is another package": {
			rule{from: []string{"@/apiserver"}, never: []string{"example.com/we/..."}}, nil,
		},
		"never: not reached through others unless asked": {
			rule{from: []string{"@/sdk"}, never: []string{"example.com/engine/..."}}, nil,
		},
		"through: reached over two others": {
			rule{from: []string{"@/sdk"}, never: []string{"example.com/engine/..."}, through: true},
			[]string{"@/sdk → example.com/small → example.com/deep → example.com/engine/v2"},
		},
		"through: every package that reaches it": {
			rule{from: []string{"@/..."}, never: []string{"example.com/engine/..."}, through: true},
			[]string{"@/apiserver/engine → @/workflows → @/sdk →", "@/sdk → example", "@/sdk/sdktest → @/sdk →", "@/workflows → @/sdk →"},
		},
		"except: the one that may": {
			rule{from: []string{"@/..."}, except: []string{"@/apiserver"}, never: []string{"example.com/web"}}, nil,
		},
		"except: a package below it is another": {
			rule{from: []string{"@/..."}, except: []string{"@/apiserver"}, never: []string{"@/workflows"}}, []string{"@/apiserver/engine imports @/workflows"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := test.rule.check(g)
			if len(got) != len(test.want) {
				t.Fatalf("breaches: %q, want %q", got, test.want)
			}
			for i, want := range test.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("breach %q does not say %q", got[i], want)
				}
			}
		})
	}
}
