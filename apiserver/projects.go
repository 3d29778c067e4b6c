package apiserver

import (
	"sync"

	"github.com/rolecall-dev/rolecall/sdk"
)

// maxProjects is how many projects come into being in the life of a server without keys.
const maxProjects = 100

// projects knows which organization each project belongs to. A project comes into being with its first task.
type projects struct {
	limit int

	mu    sync.Mutex
	owner map[string]string // organization by project
}

func newProjects(limit int) *projects {
	return &projects{limit: limit, owner: map[string]string{}}
}

// check refuses a project that belongs to another organization.
func (p *projects) check(project, organization string) *sdk.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if owner, known := p.owner[project]; known && owner != organization {
		return sdk.Errorf(sdk.CodeForbidden, "the project belongs to another organization: a project's name is unique in the installation")
	}
	return nil
}

// enter brings a project into being, if it is not there yet.
func (p *projects) enter(project, organization string) *sdk.Error {
	if err := p.check(project, organization); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.owner[project]; known {
		return nil
	}
	if len(p.owner) >= p.limit {
		return sdk.Errorf(sdk.CodeForbidden, "a server without keys takes tasks of at most %d projects, and this would be one more; use one of them", p.limit)
	}
	p.owner[project] = organization
	return nil
}
