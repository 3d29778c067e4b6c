package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/sdk"
)

// attemptScopes are what the key of an attempt may do; [Server.checkAttemptMay] says more narrowly.
func attemptScopes() []keys.Scope {
	return []keys.Scope{keys.ScopeRead, keys.ScopeDelegate, keys.ScopePublish}
}

// findAttemptKey opens the key of an attempt. It is worth nothing after its time, or when the API key that it was minted with is
// revoked or could not mint it any more.
func (s *Server) findAttemptKey(token string) (keys.Key, *attemptClaims, *sdk.Error) {
	unknown := sdk.Errorf(sdk.CodeUnauthenticated, "the key of an attempt is not one of this server's")
	raw, err := s.seals.Open(purposeAttemptKey, token)
	if err != nil {
		return keys.Key{}, nil, unknown
	}
	var claims attemptClaims
	if json.Unmarshal(raw, &claims) != nil || claims.Project == "" || claims.Task == "" || claims.StartedMs == 0 {
		return keys.Key{}, nil, unknown
	}
	minter, there := s.keys.Get(claims.Key)
	there = there && minter.May(keys.ScopeWork) && minter.Organization == claims.Organization && slices.Contains(minter.Projects, claims.Project)
	if !there {
		return keys.Key{}, nil, sdk.Errorf(sdk.CodeUnauthenticated, "the API key that the attempt's key was minted with was revoked")
	}
	if !time.Now().Before(time.UnixMilli(claims.ExpiresMs)) {
		return keys.Key{}, nil, attemptEnded()
	}
	key := keys.Key{ID: claims.Key, Organization: claims.Organization, Projects: []string{claims.Project}, Scopes: attemptScopes()}
	return key, &claims, nil
}

func attemptEnded() *sdk.Error {
	return sdk.Errorf(sdk.CodeUnauthenticated, "the attempt has ended, and its key with it")
}

// checkRuns refuses the key of an attempt that no agent has any more. While that can not be told the answer is unavailable.
func (s *Server) checkRuns(ctx context.Context, claims *attemptClaims) *sdk.Error {
	_, running, err := s.runningAttempt(ctx, *claims)
	switch {
	case errors.Is(err, sdk.ErrNotFound):
		return attemptEnded()
	case err != nil:
		return errorOf(err)
	case running == nil:
		return attemptEnded()
	default:
		return nil
	}
}

func errorOf(err error) *sdk.Error {
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		return e
	}
	return sdk.Errorf(sdk.CodeInternal, "%T: %v", err, err)
}

// checkAttemptMay holds the key of an attempt to what its agent is there for: it reads, publishes events, creates children of its
// task, and changes those. A change that is not named here is refused. route is a method and a path with its parameters, id the
// task's where there is one.
func (s *Server) checkAttemptMay(ctx context.Context, who caller, route, id string) *sdk.Error {
	switch {
	case strings.HasPrefix(route, http.MethodGet+" "):
		return nil
	case route == "POST /v1/events":
		return nil
	case route == "POST /v1/tasks": // of which parent, the body tells: see mayCreateUnder
		return nil
	case route == "POST /v1/tasks/:id/cancel", route == "POST /v1/tasks/:id/input":
		return s.checkChild(ctx, who, id)
	default:
		return sdk.Errorf(sdk.CodeForbidden, "the key of an attempt does not reach this far: it reads, publishes events, creates children of its task, and cancels or answers those")
	}
}

// checkChild refuses what is not a child of the attempt's task: one of the project with forbidden, no task with not_found. What is no
// id is left to the route.
func (s *Server) checkChild(ctx context.Context, who caller, id string) *sdk.Error {
	if !sdk.ValidID(id) {
		return nil
	}
	task, err := s.tasks.GetTask(ctx, who.project, id)
	switch {
	case err != nil:
		return errorOf(err)
	case task.ParentID != who.attempt.Task:
		return sdk.Errorf(sdk.CodeForbidden, "the key of an attempt changes children of its own task only, and this task is none")
	default:
		return nil
	}
}

// mayCreateUnder refuses a task with this parent to the key of an attempt, unless the parent is its own task.
func (c caller) mayCreateUnder(parentID string) error {
	if c.attempt == nil || parentID == c.attempt.Task {
		return nil
	}
	return sdk.Errorf(sdk.CodeForbidden, "the key of an attempt creates children of its own task only: set parentId to %s", c.attempt.Task)
}
