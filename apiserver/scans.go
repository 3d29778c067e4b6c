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

	runScansOfAProject = 64 // likewise, of the streams of sessions and plans; what finds no room tries again
	runScansAtOnce     = 4
)

// scans bounds how many requests go through the event log at the same time. One project never has all the places: what it lets wait does
// not hold up another.
type scans struct {
	places chan struct{} // holds one for each that is under way
	most   int           // of a project, under way or waiting

	mu        sync.Mutex
	ofProject map[string]*projectScans // of those that have any
}

// projectScans are those of one project.
type projectScans struct {
	places chan struct{} // likewise, or waits for one of all projects' places; one fewer than of those
	count  int           // under way or waiting
}

func newScans(atOnce, ofAProject int) *scans {
	return &scans{places: make(chan struct{}, atOnce), most: ofAProject, ofProject: map[string]*projectScans{}}
}

// enter waits for a project's turn. What does not come soon is rate_limited. leave ends the turn.
func (s *scans) enter(ctx context.Context, project string) (leave func(), err error) {
	busy := &sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: retryWait, Message: "too many requests look through the event log already; ask again later"}
	of := s.count(project)
	if of == nil {
		return nil, busy
	}
	soon := time.NewTimer(scanTurn)
	defer soon.Stop()
	var held []chan struct{}
	leave = func() {
		for _, places := range held {
			<-places
		}
		s.leave(project)
	}
	for _, places := range []chan struct{}{of.places, s.places} {
		select {
		case places <- struct{}{}:
			held = append(held, places)
		case <-ctx.Done():
			leave()
			return nil, context.Cause(ctx)
		case <-soon.C:
			leave()
			return nil, busy
		}
	}
	return leave, nil
}

// count enters a request of a project; nil says that it is one too many.
func (s *scans) count(project string) *projectScans {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.ofProject[project]
	if of == nil {
		of = &projectScans{places: make(chan struct{}, max(1, cap(s.places)-1))}
		s.ofProject[project] = of
	}
	if of.count >= s.most {
		return nil
	}
	of.count++
	return of
}

func (s *scans) leave(project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.ofProject[project]
	if of.count--; of.count == 0 {
		delete(s.ofProject, project)
	}
}
