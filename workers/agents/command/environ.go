package command

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/propagation"

	"github.com/rolecall-dev/rolecall/sdk"
)

// markName is the variable by which the processes of an attempt are known again.
const markName = "ROLECALL_RUN"

// apiKeyName is the variable of the key for the API. The worker's own is never let through: what it may do goes further than what an
// agent is there for.
const apiKeyName = "EVENTS_API_KEY"

// environ answers the program's environment: its mark first, then what rolecall tells it, the trace of ctx among it, then what is let
// through. key is the attempt's own for the API, or "".
func (c Config) environ(ctx context.Context, a *sdk.Assignment, mark, key string) []string {
	own := []string{
		markName + "=" + mark,
		"ROLECALL_TASK_ID=" + a.Task.ID,
		"ROLECALL_TASK_TYPE=" + string(a.Task.Type),
		"ROLECALL_PROJECT=" + c.Project,
		"ROLECALL_ATTEMPT=" + strconv.Itoa(a.Attempt),
	}
	if c.ServiceURL != "" {
		own = append(own, "EVENTS_SERVICE_URL="+c.ServiceURL)
	}
	if key != "" {
		own = append(own, apiKeyName+"="+key)
	}
	own = append(own, traceOf(ctx)...)
	out := slices.Clone(own)
	for _, kv := range c.Environ {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || name == apiKeyName || !allowed(name, c.EnvAllow) || slices.ContainsFunc(own, func(o string) bool { return strings.HasPrefix(o, name+"=") }) {
			continue
		}
		out = append(out, kv)
	}
	return out
}

// traceOf is the trace that ctx is part of, as programs find it by convention; nothing without one.
func traceOf(ctx context.Context) []string {
	trace := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, trace)
	var env []string
	for _, name := range []string{"traceparent", "tracestate"} {
		if value := trace.Get(name); value != "" {
			env = append(env, strings.ToUpper(name)+"="+value)
		}
	}
	return env
}

// allowed reports whether a name or NAME_* pattern of the list fits.
func allowed(name string, list []string) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		if prefix, ok := strings.CutSuffix(p, "*"); ok {
			return strings.HasPrefix(name, prefix)
		}
		return name == p
	})
}
