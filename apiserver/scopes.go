package apiserver

import (
	"strings"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
)

// scopeOf is the scope that a route asks of a key; known is false for a route that stands in no line, which nobody may use. A route is
// a method and a path with its parameters, such as GET /v1/tasks/:id.
func scopeOf(route string) (scope keys.Scope, known bool) {
	switch route {
	case "GET /v1/tasks", "GET /v1/tasks/:id", "GET /v1/tasks/:id/progress", "GET /v1/tasks/:id/events",
		"GET /v1/events", "GET /v1/events/stream", "GET /v1/errors",
		"GET /v1/agents", "GET /v1/agents/:id", "GET /v1/roles",
		"GET /v1/sessions", "GET /v1/sessions/:id", "GET /v1/sessions/stats", "GET /v1/sessions/:id/events",
		"GET /v1/plans", "GET /v1/plans/:id", "GET /v1/plans/:id/events",
		"GET /v1/subscriptions", "GET /v1/subscriptions/:name", "GET /v1/subscriptions/:name/dead":
		return keys.ScopeRead, true
	case "POST /v1/subscriptions/:name/pull", "POST /v1/subscriptions/:name/ack", "POST /v1/subscriptions/:name/nack",
		"POST /v1/subscriptions/:name/extend": // who reads events reads them this way too, and says how far it came
		return keys.ScopeRead, true
	case "POST /v1/tasks", "POST /v1/tasks/:id/cancel", "POST /v1/tasks/:id/input", "POST /v1/tasks/:id/retry",
		"POST /v1/sessions", "POST /v1/sessions/:id/tasks", "DELETE /v1/sessions/:id", "DELETE /v1/clients/:clientId/sessions",
		"POST /v1/plans", "POST /v1/plans/:id/cancel":
		return keys.ScopeDelegate, true
	case "POST /v1/tasks/:id/output", "POST /v1/tasks/:id/key", // the worker's
		"POST /v1/agents", "POST /v1/agents/:id/heartbeat", "DELETE /v1/agents/:id":
		return keys.ScopeWork, true
	case "POST /v1/roles/:role/claim", "POST /v1/leases/:lease/progress", "POST /v1/leases/:lease/complete", "POST /v1/leases/:lease/fail",
		"POST /v1/leases/:lease/input-required": // the agent's over HTTP
		return keys.ScopeWork, true
	case "POST /v1/events", "PUT /v1/subscriptions/:name", "DELETE /v1/subscriptions/:name":
		return keys.ScopePublish, true
	default:
		return "", false
	}
}

// routeOf is the route of an operation of the OpenAPI document, whose parameters stand in braces.
func routeOf(method, path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, "{"); ok {
			parts[i] = ":" + strings.TrimSuffix(name, "}")
		}
	}
	return method + " " + strings.Join(parts, "/")
}
