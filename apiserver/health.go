package apiserver

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/singleflight"

	"github.com/rolecall-dev/rolecall/sdk"
)

type health struct {
	Status  string `json:"status"`
	Problem string `json:"problem,omitempty"` // what is wrong although tasks can be taken
	Events  string `json:"events,omitempty"`  // of a server that has an event log: ready, or unavailable
}

// healthz says that the process answers; it asks nothing of Temporal.
func (s *Server) healthz(c *gin.Context) { c.JSON(http.StatusOK, health{Status: "ok"}) }

// readyTTL is how long what was heard of Temporal serves: whoever can reach the server may ask, without a key and as often as they like.
const readyTTL = time.Second

// readiness is whether tasks can be taken, asked at most once in readyTTL.
type readiness struct {
	flight singleflight.Group
	last   atomic.Pointer[readyAnswer]
}

type readyAnswer struct {
	until time.Time
	err   error
}

// of answers what ask said, now or a moment ago.
func (r *readiness) of(ctx context.Context, ask func(context.Context) error) error {
	_, err, _ := r.flight.Do("", func() (any, error) {
		if last := r.last.Load(); last != nil && time.Now().Before(last.until) {
			return nil, last.err
		}
		err := ask(context.WithoutCancel(ctx)) // for all who wait; it bounds itself
		r.last.Store(&readyAnswer{time.Now().Add(readyTTL), err})
		return nil, err
	})
	return err
}

// readyz says whether tasks can be taken: Temporal can be reached and the server is not stopping.
func (s *Server) readyz(c *gin.Context) {
	if s.draining.Err() != nil {
		s.refuse(c, sdk.Errorf(sdk.CodeUnavailable, "the server is stopping"))
		return
	}
	if err := s.ready.of(c.Request.Context(), s.tasks.Ready); err != nil {
		s.refuse(c, err)
		return
	}
	answer := health{Status: "ready", Events: s.eventsHealth(c.Request.Context())}
	if s.keys != nil && s.keys.Stale() {
		answer.Problem = "the keys file can not be used: keys that were revoked lately are still taken, and new ones are not; the log says why"
	}
	c.JSON(http.StatusOK, answer)
}

// eventsPatience is how long the event log may take to say that it is there.
const eventsPatience = time.Second

// eventsHealth says how the event log is. Tasks run without it.
func (s *Server) eventsHealth(ctx context.Context) string {
	if s.cfg.Events == nil {
		return ""
	}
	err := s.eventsReady.of(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, eventsPatience)
		defer cancel()
		err := s.cfg.Events.Ready(ctx)
		if err != nil && !errors.Is(err, sdk.ErrInternal) { // which is about its settings
			s.foundAway()
		}
		return err
	})
	if err != nil {
		return "unavailable"
	}
	return "ready"
}

// serveBytes answers always the same.
func serveBytes(contentType string, body []byte) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		c.Data(http.StatusOK, contentType, body)
	}
}
