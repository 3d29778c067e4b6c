package apiserver

import (
	"context"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	scanTurn = 5 * time.Second // to wait for a turn

	errorScansOfAProject = 4  // under way or waiting
	errorScansAtOnce     = 2  // of all projects
	eventScansOfAProject = 16 // likewise, of GET /v1/events with a filter
	eventScansAtOnce     = 4
)

// scans bounds how many requests go through the event log at the same time.
type scans struct {
	places chan struct{} // holds one for each that is under way
	most   int           // of a project, under way or waiting

	mu        sync.Mutex
	ofProject map[string]int // under way or waiting; none is 0
}

func newScans(atOnce, ofAProject int) *scans {
	return &scans{places: make(chan struct{}, atOnce), most: ofAProject, ofProject: map[string]int{}}
}

// enter waits for a project's turn. What does not come soon is rate_limited. leave ends the turn.
func (s *scans) enter(ctx context.Context, project string) (leave func(), err error) {
	busy := &sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: retryWait, Message: "too many requests look through the event log already; ask again later"}
	if !s.count(project) {
		return nil, busy
	}
	soon := time.NewTimer(scanTurn)
	defer soon.Stop()
	select {
	case s.places <- struct{}{}:
		return func() { <-s.places; s.leave(project) }, nil
	case <-ctx.Done():
		s.leave(project)
		return nil, context.Cause(ctx)
	case <-soon.C:
		s.leave(project)
		return nil, busy
	}
}

func (s *scans) count(project string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ofProject[project] >= s.most {
		return false
	}
	s.ofProject[project]++
	return true
}

func (s *scans) leave(project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ofProject[project]--; s.ofProject[project] == 0 {
		delete(s.ofProject, project)
	}
}
