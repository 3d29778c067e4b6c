package sdktest

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/apiserver"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/registry"
	"github.com/rolecall-dev/rolecall/sdk"
)

// maxPart is how many events are told in one call.
const maxPart = 50

// part is events of a story, a task's, a session's or a plan's, that the log lacks.
type part struct {
	project, kind, id string
	events            []sdk.Event
}

func (p part) sameStory(q part) bool {
	return p.project == q.project && p.kind == q.kind && p.id == q.id
}

// collect takes what a course has to tell. The lock is held.
func (r *run) collect() {
	r.engine.told(part{project: r.in.Project, kind: activities.StoryTask, id: r.in.ID, events: r.course.TakeEvents()})
}

// told adds what there is to tell. The lock is held.
func (e *engine) told(p part) {
	if len(p.events) == 0 {
		return
	}
	if n := len(e.untold); n > 0 && e.untold[n-1].sameStory(p) && len(e.untold[n-1].events)+len(p.events) <= maxPart {
		e.untold[n-1].events = append(e.untold[n-1].events, p.events...)
		return
	}
	e.untold = append(e.untold, p)
}

// events is the server's event log, and whoever answers the API with it. It is opened by the first request that needs it: a test that
// uses no events has neither its files nor its goroutines, and can run in a bubble of testing/synctest.
type events struct {
	tb     TB
	engine *engine
	plain  *apiserver.Server                // answers until the log is open
	full   atomic.Pointer[apiserver.Server] // and this one from then on; nil before

	mu     sync.Mutex // held while events are written: who has it next finds everything told that had happened before
	dir    string
	log    *eventlog.Log
	teller *activities.Publisher
	agents *watched
	closed bool
	failed error
}

// ServeHTTP implements [http.Handler].
func (v *events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	api := v.full.Load()
	if needsLog(r.URL.Path) {
		if api == nil {
			api = v.open()
		}
		v.tell()
	}
	if api == nil {
		api = v.plain
	}
	if changesAgents(r) {
		v.agents.heard()
		defer v.tell()
		defer v.agents.heard()
	}
	api.Handler().ServeHTTP(w, r)
}

// needsLog reports whether a route is one of those that a service without an event log refuses.
func needsLog(path string) bool {
	if strings.HasPrefix(path, "/v1/tasks/") || strings.HasPrefix(path, "/v1/sessions/") || strings.HasPrefix(path, "/v1/plans/") {
		return strings.HasSuffix(path, "/events") || strings.HasSuffix(path, "/output")
	}
	return path == "/v1/errors" || path == "/v1/roles" || strings.HasPrefix(path, "/v1/agents") || strings.HasPrefix(path, "/v1/events") || strings.HasPrefix(path, "/v1/subscriptions")
}

// open opens the log, unless it is open; nil says that this failed, which fails the test, or that the test is over.
func (v *events) open() *apiserver.Server {
	v.mu.Lock()
	defer v.mu.Unlock()
	if api := v.full.Load(); api != nil || v.closed || v.failed != nil {
		return api
	}
	api, err := v.make()
	if err != nil {
		v.failed = err
		v.tb.Errorf("sdktest: open the event log: %v", err)
		return nil
	}
	v.full.Store(api)
	return api
}

func (v *events) make() (api *apiserver.Server, err error) {
	if v.dir, err = os.MkdirTemp("", "rolecall-sdktest-"); err != nil {
		return nil, err
	}
	redaction, err := apiserver.Config{}.Redaction()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), v.engine.limit)
	defer cancel()
	log, err := eventlog.Open(ctx, eventlog.Config{Dir: v.dir, Logger: v.engine.log})
	if err != nil {
		return nil, err
	}
	agents := registry.New(log, registry.Config{Before: redaction.Event, Now: v.agents.now, Logger: v.engine.log})
	if api, err = v.plain.WithEvents(log, agents); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	v.agents.mu.Lock()
	v.agents.registry = agents
	v.agents.mu.Unlock()
	v.log, v.teller = log, &activities.Publisher{Stories: log, Before: redaction.Event}
	return api, nil
}

// tell brings what has happened into the log, once it is open, and returns when it is there. The engine's lock is not held.
func (v *events) tell() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.teller == nil || v.closed {
		return
	}
	for _, p := range v.engine.takeUntold() {
		if err := v.tellPart(p); err != nil {
			v.tb.Errorf("sdktest: the event log did not take events of %s: %v", p.id, err)
		}
	}
	if err := v.agents.look(); err != nil {
		v.tb.Errorf("sdktest: look at the registry of agents: %v", err)
	}
}

func (v *events) tellPart(p part) error {
	ctx, cancel := context.WithTimeout(context.Background(), v.engine.limit)
	defer cancel()
	return v.teller.PublishEvents(ctx, activities.PublishEventsInput{
		Project: p.project, Kind: p.kind, ID: p.id, Acknowledged: p.events[0].Seq - 1, Events: p.events,
	})
}

func (e *engine) takeUntold() []part {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := e.untold
	e.untold = nil
	return list
}

// close ends the log; nothing is told any more.
func (v *events) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	if v.log != nil {
		if err := v.log.Close(); err != nil {
			v.tb.Errorf("sdktest: close the event log: %v", err)
		}
	}
	if v.dir != "" {
		if err := os.RemoveAll(v.dir); err != nil {
			v.tb.Errorf("sdktest: remove the event log's files: %v", err)
		}
	}
}
