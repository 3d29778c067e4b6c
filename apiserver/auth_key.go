package apiserver

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/sdk"
)

// authenticateKey says for which project of its key a request is. The answer to a project that is not the key's follows from the key
// alone, so that it does not tell whether there is such a project.
func (s *Server) authenticateKey(r *http.Request, scope keys.Scope) (caller, *sdk.Error) {
	secret, ok := bearer(r)
	if !ok {
		return caller{}, sdk.Errorf(sdk.CodeUnauthenticated, "send an API key, once, as Authorization: Bearer rk_…")
	}
	key, attempt, err := s.findKey(secret)
	if err != nil {
		return caller{}, err
	}
	c := caller{organization: key.Organization, key: key.ID, attempt: attempt}
	limited, name := s.limitOf(c, scope)
	if wait := limited.take(name); wait > 0 {
		return c, &sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: wait,
			Message: fmt.Sprintf("the API key makes more than %g requests a second; go on after Retry-After", limited.perSecond)}
	}
	if attempt != nil {
		if err := s.checkRuns(r.Context(), attempt); err != nil {
			return c, err
		}
	}
	if !key.May(scope) {
		return c, sdk.Errorf(sdk.CodeForbidden, "the API key lacks the scope %s; ask for a key that has it", scope)
	}
	project, err := projectOf(key, r.Header.Values(headerProject))
	if err != nil {
		return c, err
	}
	c.project = project
	return c, nil
}

// findKey answers the key that a caller sent. For the key of an attempt that is what this may do, under the id of the key that it was
// minted with, and the attempt.
func (s *Server) findKey(secret string) (keys.Key, *attemptClaims, *sdk.Error) {
	if token, ok := strings.CutPrefix(secret, attemptKeyPrefix); ok {
		return s.findAttemptKey(token)
	}
	key, ok := s.keys.Find(secret)
	if !ok {
		return keys.Key{}, nil, sdk.Errorf(sdk.CodeUnauthenticated, "the API key is not one of this server's, or was revoked")
	}
	return key, nil, nil
}

// limitOf is what holds a request that needs a scope, and the name that it counts under. An attempt has a bucket of its own, so that an agent
// that spins does not starve its worker; and so have the requests of agents at work, of which each task takes several, so that they and
// those who delegate do not starve each other.
func (s *Server) limitOf(c caller, scope keys.Scope) (*limits, string) {
	switch {
	case c.attempt != nil:
		return s.attempts, c.attempt.name()
	case scope == keys.ScopeWork:
		return s.works, c.key
	default:
		return s.limits, c.key
	}
}

// projectOf chooses among a key's projects.
func projectOf(key keys.Key, named []string) (string, *sdk.Error) {
	fault := sdk.Fault{Path: "header." + headerProject}
	switch {
	case len(named) == 0 && len(key.Projects) == 1:
		return key.Projects[0], nil
	case len(named) == 0:
		fault.Message = "is required, since the API key has several projects: " + strings.Join(key.Projects, ", ")
	case len(named) > 1 || !sdk.ValidProject(named[0]):
		fault.Message = nameRule
	case !slices.Contains(key.Projects, named[0]):
		fault.Message = "names a project that the API key does not have; it has " + strings.Join(key.Projects, ", ")
		return "", &sdk.Error{Code: sdk.CodeNotFound, Message: "there is no such project for this API key", Faults: []sdk.Fault{fault}}
	default:
		return named[0], nil
	}
	return "", invalid([]sdk.Fault{fault})
}

// bearer is the key that a request carries; ok is false when it carries none, or several.
func bearer(r *http.Request) (secret string, ok bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, secret, _ := strings.Cut(values[0], " ")
	secret = strings.TrimSpace(secret)
	return secret, strings.EqualFold(scheme, "Bearer") && secret != ""
}

// challenge is what a 401 says of how to authenticate (RFC 6750).
func challenge(r *http.Request) string {
	if _, sent := bearer(r); sent {
		return `Bearer realm="rolecall", error="invalid_token"`
	}
	return `Bearer realm="rolecall"`
}
