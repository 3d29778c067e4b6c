package apiserver

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
)

// keyring is a keys file and the keys in it.
type keyring struct {
	path string
	shop string // of acme's project shop
	both string // of acme's projects shop and till
	bank string // of bank's project vault
}

func newKeyring(t testing.TB) keyring {
	t.Helper()
	r := keyring{path: filepath.Join(t.TempDir(), "keys.json")}
	r.shop, _ = r.create(t, keys.Request{Organization: "acme", Projects: []string{"shop"}})
	r.both, _ = r.create(t, keys.Request{Organization: "acme", Projects: []string{"shop", "till"}})
	r.bank, _ = r.create(t, keys.Request{Organization: "bank", Projects: []string{"vault"}})
	return r
}

func (r keyring) create(t testing.TB, request keys.Request) (secret, id string) {
	t.Helper()
	secret, made, err := keys.Create(t.Context(), r.path, request)
	if err != nil {
		t.Fatal(err)
	}
	return secret, made.ID
}

// server is one that uses the keys and listens anywhere.
func (r keyring) server(t testing.TB, tasks Tasks, logs io.Writer, change ...func(*Config)) *Server {
	t.Helper()
	return newTestServer(t, tasks, logs, append([]func(*Config){func(c *Config) { c.Addr, c.KeysFile = "0.0.0.0:0", r.path }}, change...)...)
}

// route is an operation of the OpenAPI document.
type route struct{ method, path, scope string }

// routesOf reads the routes out of the server's own document, so that a new one is tested by itself.
func routesOf(t testing.TB, s *Server) []route {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct{ Security []map[string][]string }
	}
	if err := json.Unmarshal(call(s, http.MethodGet, "/openapi.json", "").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	var found []route
	for path, methods := range doc.Paths {
		for method, op := range methods {
			r := route{method: strings.ToUpper(method), path: path}
			for _, one := range op.Security {
				if needed := one[securityKey]; len(needed) == 1 {
					r.scope = needed[0]
				}
			}
			if !slices.Contains(keys.Scopes(), keys.Scope(r.scope)) {
				t.Errorf("%s %s names the scope %q", r.method, path, r.scope)
			}
			found = append(found, r)
		}
	}
	if len(found) < 5 {
		t.Fatalf("%d routes", len(found))
	}
	slices.SortFunc(found, func(a, b route) int { return cmp.Compare(a.turn(), b.turn()) })
	return found
}

// turn is when a route is asked among the others, so that what is named is there: what makes it is the first, what removes it the last.
func (r route) turn() int {
	return slices.Index([]string{http.MethodPut, http.MethodPost, http.MethodGet, http.MethodDelete}, r.method)
}

// of is the route's address for a task; other parts of a path are filled in with something valid.
func (r route) of(id string) string {
	parts := strings.Split(r.path, "/")
	for i, p := range parts {
		switch {
		case p == "{id}":
			parts[i] = id
		case strings.HasPrefix(p, "{"):
			parts[i] = "coder"
		}
	}
	return strings.Join(parts, "/")
}

// body is one that the route takes as far as it is known, and an empty object otherwise.
func (r route) body() string {
	switch {
	case r.method == http.MethodGet || r.method == http.MethodDelete:
		return ""
	case r.path == "/v1/tasks":
		return okBody
	case r.path == "/v1/plans":
		return okPlan
	case r.path == "/v1/sessions/{id}/tasks":
		return `{"type":"execute","prompt":"do it"}`
	case strings.HasSuffix(r.path, "/input"):
		return `{"requestId":"q","answer":1}`
	case strings.HasSuffix(r.path, "/ack"), strings.HasSuffix(r.path, "/nack"), strings.HasSuffix(r.path, "/extend"):
		return `{"acks":["none"]}`
	case r.path == "/v1/events":
		return `{"type":"build.finished"}`
	case r.path == "/v1/agents":
		return `{"name":"Bob","role":"coder"}`
	case strings.HasSuffix(r.path, "/output"):
		return `{"attempt":1,"frames":[{"text":"x"}]}`
	case strings.HasSuffix(r.path, "/claim"):
		return `{"agentId":"ada"}`
	case strings.HasSuffix(r.path, "/fail"):
		return `{"error":{"code":"x","message":"x"}}`
	case strings.HasSuffix(r.path, "/input-required"):
		return `{"prompt":"x"}`
	case strings.HasSuffix(r.path, "/key"):
		return `{"stage":0,"attempt":1}`
	default:
		return `{}`
	}
}

// ofEvents reports whether the route needs an event log: a server without one answers it 503, once it may be answered at all.
func (r route) ofEvents() bool {
	return strings.HasPrefix(r.path, "/v1/events") || strings.HasSuffix(r.path, "/events") || strings.HasSuffix(r.path, "/output") ||
		strings.HasPrefix(r.path, "/v1/agents") || r.path == "/v1/roles"
}

// ofLease reports whether the route is about one lease, which only a claim makes.
func (r route) ofLease() bool { return strings.HasPrefix(r.path, "/v1/leases/") }

func (r route) call(s *Server, id string, headers ...string) *httptest.ResponseRecorder {
	return call(s, r.method, r.of(id), r.body(), headers...)
}

func bearing(secret string) []string { return []string{"Authorization", "Bearer " + secret} }

// shopKey asks for a key of acme's project shop.
func shopKey() keys.Request { return keys.Request{Organization: "acme", Projects: []string{"shop"}} }
