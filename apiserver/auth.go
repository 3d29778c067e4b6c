package apiserver

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/sdk"
)

// The headers that choose a project.
const (
	headerProject      = "Rolecall-Project"
	headerOrganization = "Rolecall-Organization"
	defaultScope       = "default"
)

// caller is on whose behalf a request is answered.
type caller struct {
	project      string
	organization string
	key          string         // the id of its API key; "" without keys
	attempt      *attemptClaims // of an agent with the key of its attempt, which was minted with key; nil for others
}

type callerKey struct{}

func withCaller(ctx context.Context, c caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// nameRule says what a project's or an organization's name is.
const nameRule = "must be given once, start with a lower-case letter or digit and hold at most 63 of a-z, 0-9, _ and -"

// authenticate says on whose behalf a request is: of its key's, or without keys of whom it names.
func (s *Server) authenticate(r *http.Request, scope keys.Scope) (caller, *sdk.Error) {
	if s.keys != nil {
		return s.authenticateKey(r, scope)
	}
	c := caller{project: defaultScope, organization: defaultScope}
	var faults []sdk.Fault
	for header, field := range map[string]*string{headerProject: &c.project, headerOrganization: &c.organization} {
		values := r.Header.Values(header)
		if len(values) == 0 {
			continue
		}
		*field = values[0]
		if len(values) > 1 || !sdk.ValidProject(values[0]) {
			faults = append(faults, sdk.Fault{Path: "header." + header, Message: nameRule})
		}
	}
	if len(faults) > 0 {
		sortFaults(faults)
		return caller{}, invalid(faults)
	}
	return c, nil
}

// checkSource refuses what a web page could send behind its reader's back: another site's request, and one that came here by a
// name that is not loopback, as after DNS rebinding. With keys neither can do anything: no browser sends a key by itself.
func (s *Server) checkSource(r *http.Request) *sdk.Error {
	if s.keys != nil {
		return nil
	}
	if !isLoopbackName(r.Host) {
		return sdk.Errorf(sdk.CodeForbidden, "a server without keys answers only to localhost, 127.0.0.1 or [::1]; the request's Host is another")
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 || len(origins) == 1 && (isOwnOrigin(origins[0], r) || slices.Contains(s.cfg.CORSOrigins, origins[0])) {
		return nil
	}
	return sdk.Errorf(sdk.CodeForbidden, "the request comes from a page of another origin; ROLECALL_CORS_ORIGINS can allow it")
}

// isLoopbackName reports whether a Host header names this machine's loopback, with any port.
func isLoopbackName(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, "80"
		if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
			name = host[1 : len(host)-1]
		}
	}
	return isLoopback(name) && port != "" && strings.Trim(port, "0123456789") == ""
}

// isOwnOrigin reports whether a page of this origin was served by the address that the request came to.
func isOwnOrigin(origin string, r *http.Request) bool {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	u, err := url.Parse(origin)
	return err == nil && isOrigin(origin) && u.Scheme == scheme && strings.EqualFold(u.Host, r.Host)
}
