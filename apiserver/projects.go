package apiserver

import (
	"context"
	"sync"

	"github.com/rolecall-dev/rolecall/sdk"
)

// maxProjects is how many projects come into being in the life of a server without keys.
const maxProjects = 100

// projects knows which organization each project of a server without keys belongs to. A project comes into being with its first task; while that is being
// created, its place is taken.
type projects struct {
	limit int

	mu    sync.Mutex
	known map[string]*project // by name
}

type project struct {
	organization string
	entering     int  // tasks being created
	created      bool // at least one has been
}

// entry is a project's claim to its place while one of its tasks is created.
type entry struct {
	projects *projects
	name     string
	created  bool // set once the task is there
}

func newProjects(limit int) *projects {
	return &projects{limit: limit, known: map[string]*project{}}
}

// belongs reports whether a caller may see the project: one that is not known yet may be anybody's. With a key, the keys file has
// settled that.
func (p *projects) belongs(who caller) bool {
	if who.key != "" {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.known[who.project]
	return !ok || known.organization == who.organization
}

// enter takes a place for the project, unless it has one. [entry.leave] gives it back when no task was created.
func (p *projects) enter(who caller) (*entry, *sdk.Error) {
	if who.key != "" {
		return &entry{}, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.known[who.project]
	switch {
	case ok && known.organization != who.organization:
		return nil, sdk.Errorf(sdk.CodeNotFound, "there is no such project in this organization; use another name for a new one")
	case !ok && len(p.known) >= p.limit:
		return nil, sdk.Errorf(sdk.CodeForbidden, "a server without keys takes tasks of at most %d projects, and this would be one more; use one of them", p.limit)
	case !ok:
		known = &project{organization: who.organization}
		p.known[who.project] = known
	}
	known.entering++
	return &entry{projects: p, name: who.project}, nil
}

func (e *entry) leave() {
	if e.projects == nil { // a key's
		return
	}
	e.projects.mu.Lock()
	defer e.projects.mu.Unlock()
	p := e.projects.known[e.name]
	p.entering--
	p.created = p.created || e.created
	if p.entering == 0 && !p.created {
		delete(e.projects.known, e.name)
	}
}

// checkOwner refuses what is about a task in a project of another organization, as if the task were not there.
func (s *Server) checkOwner(ctx context.Context) error {
	if s.projects.belongs(callerOf(ctx)) {
		return nil
	}
	return sdk.ErrNotFound
}
