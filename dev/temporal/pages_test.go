package temporal

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestOwnPages(t *testing.T) {
	t.Parallel()
	pages := ownPages(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for name, tc := range map[string]struct {
		host    string
		origins []string
		want    int
	}{
		"a program":            {"127.0.0.1:8233", nil, http.StatusTeapot},
		"its own page":         {"localhost:8233", []string{"http://localhost:8233"}, http.StatusTeapot},
		"its own page by IPv6": {"[::1]:8233", []string{"http://[::1]:8233"}, http.StatusTeapot},
		"a rebound page":       {"evil.example:8233", nil, http.StatusForbidden},
		"a rebound page posts": {"evil.example:8233", []string{"http://evil.example:8233"}, http.StatusForbidden},
		"another site":         {"127.0.0.1:8233", []string{"http://evil.example"}, http.StatusForbidden},
		"another port":         {"127.0.0.1:8233", []string{"http://127.0.0.1:3000"}, http.StatusForbidden},
		"another name":         {"127.0.0.1:8233", []string{"http://localhost:8233"}, http.StatusForbidden},
		"another scheme":       {"127.0.0.1:8233", []string{"https://127.0.0.1:8233"}, http.StatusForbidden},
		"a sandboxed page":     {"127.0.0.1:8233", []string{"null"}, http.StatusForbidden},
		"two origins":          {"127.0.0.1:8233", []string{"http://127.0.0.1:8233", "http://evil.example"}, http.StatusForbidden},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, "/api/v1/namespaces", http.NoBody)
			r.Host = tc.host
			r.Header["Origin"] = tc.origins
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, r)
			if w.Code != tc.want {
				t.Errorf("%s: %s is answered %d, want %d", name, method, w.Code, tc.want)
			}
		}
	}
}

// TestNoServiceHasAnHTTPGateway: the gateway has no keys and takes a plain POST of any web page.
func TestNoServiceHasAnHTTPGateway(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddrPort("127.0.0.1:7233")
	c := serverConfig(ports{frontend: addr, history: addr, matching: addr, worker: addr, ui: addr}, nil)
	for name, service := range c.Services {
		if service.RPC.HTTPPort != 0 {
			t.Errorf("%s has HTTP on port %d", name, service.RPC.HTTPPort)
		}
	}
}
