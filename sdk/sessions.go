package sdk

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// OpenSession opens a session, which stays open until it is closed or was without a task for its idle timeout, through every restart
// of the service and of the caller. Models that the configuration leaves out are those of the client's own configuration, else the
// service's. An idempotency key is made unless [IdempotencyKey] gives one: however often the call has to be repeated, it is one
// session.
func (c *Client) OpenSession(ctx context.Context, config SessionConfig, opts ...CallOption) (*SessionHandle, error) {
	config.OrchestratorModel = cmp.Or(config.OrchestratorModel, c.cfg.OrchestratorModel)
	config.ExecutorModel = cmp.Or(config.ExecutorModel, c.cfg.ExecutorModel)
	d := draft{key: rand.Text()}
	for _, o := range opts {
		o.applyTask(&d)
	}
	var f faults
	f.key(d.key)
	f = append(f, faultsIn(config.Validate())...)
	if err := f.err(); err != nil {
		return nil, err
	}
	var session Session
	err := c.do(ctx, call{method: http.MethodPost, url: c.address(nil, "v1", "sessions"), body: config, key: d.key, repeatable: true}, &session)
	if err != nil {
		return nil, err
	}
	return newSessionHandle(c, session), nil
}

// Session takes a session up again, such as after a restart of the caller. One that is not there is an error of code not_found; one
// that has closed can still be read and followed.
func (c *Client) Session(ctx context.Context, id string) (*SessionHandle, error) {
	session, err := c.GetSession(ctx, id)
	if err != nil {
		return nil, err
	}
	return newSessionHandle(c, *session), nil
}

// GetSession answers a session as it stands.
func (c *Client) GetSession(ctx context.Context, id string) (*Session, error) {
	if err := checkID("session", id); err != nil {
		return nil, err
	}
	return answered[Session](ctx, c, call{method: http.MethodGet, url: c.sessionURL(nil, id), repeatable: true})
}

// CloseSession closes a session and ends its running task; tasks that wait for their turn are not begun. It answers the session as it
// then stands, which may still be closing. Closing it again changes nothing, so that the call is repeated where the service can not be
// reached.
func (c *Client) CloseSession(ctx context.Context, id string) (*Session, error) {
	if err := checkID("session", id); err != nil {
		return nil, err
	}
	return answered[Session](ctx, c, call{method: http.MethodDelete, url: c.sessionURL(nil, id), repeatable: true})
}

// ListSessions answers one page of the sessions that the filter chooses: the first with cursor "", the one after a page with its
// NextCursor and the same filter. [Client.Sessions] turns the pages itself.
func (c *Client) ListSessions(ctx context.Context, filter SessionFilter, cursor string) (*SessionPage, error) {
	if err := filter.Validate(); err != nil {
		return nil, err
	}
	cl := call{method: http.MethodGet, url: c.address(filter.query(cursor), "v1", "sessions"), repeatable: true}
	return answered[SessionPage](ctx, c, cl)
}

// Sessions answers every session that the filter chooses, each once, page after page as they are asked for. A list follows what happens
// within about a second; [Client.GetSession] is current. An error ends it. It remembers the id of each session it has answered until it
// ends.
func (c *Client) Sessions(ctx context.Context, filter SessionFilter) iter.Seq2[*Session, error] {
	return eachOnce(pages("sessions", func(cursor string) ([]Session, string, error) {
		page, err := c.ListSessions(ctx, filter, cursor)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.NextCursor, nil
	}), func(s *Session) string { return s.ID })
}

// SessionStats counts the project's open sessions.
func (c *Client) SessionStats(ctx context.Context) (*SessionStats, error) {
	return answered[SessionStats](ctx, c, call{method: http.MethodGet, url: c.address(nil, "v1", "sessions", "stats"), repeatable: true})
}

// CloseClientSessions closes every open session of a client, such as one that has disconnected, and answers how many there were. The
// call is sent once; repeating it is harmless.
func (c *Client) CloseClientSessions(ctx context.Context, clientID string) (closed int, err error) {
	if !ValidID(clientID) {
		return 0, Errorf(CodeInvalidInput, "the client id must start with a letter or digit and hold at most 128 of A-Z, a-z, 0-9, _ and -")
	}
	var answer struct {
		Closed int `json:"closed"`
	}
	err = c.do(ctx, call{method: http.MethodDelete, url: c.address(nil, "v1", "clients", clientID, "sessions")}, &answer)
	return answer.Closed, err
}

// CloseIdleSessions closes the open sessions that have no task and were without one for as long as d, and answers how many it closed. Sessions
// close themselves after their own idle timeout: this is for who wants them gone sooner. A task that is sent to one meanwhile is
// ended with it. An error ends it.
func (c *Client) CloseIdleSessions(ctx context.Context, d time.Duration) (closed int, err error) {
	idle := func(s *Session) bool {
		return s.Status == SessionOpen && s.CurrentTaskID == "" && s.QueuedTasks == 0 && time.Since(s.LastActivityAt) >= d
	}
	for listed, err := range c.Sessions(ctx, SessionFilter{Status: SessionOpen}) {
		if err != nil {
			return closed, err
		}
		session, err := c.GetSession(ctx, listed.ID)
		if errors.Is(err, ErrNotFound) || err == nil && !idle(session) {
			continue
		}
		if err == nil {
			_, err = c.CloseSession(ctx, listed.ID)
		}
		if err != nil {
			return closed, err
		}
		closed++
	}
	return closed, nil
}

// query is the filter as parameters of the API.
func (s SessionFilter) query(cursor string) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"clientId": s.ClientID, "status": string(s.Status), "cursor": cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if s.Limit > 0 {
		q.Set("limit", strconv.Itoa(s.Limit))
	}
	return q
}

func (c *Client) sessionURL(query url.Values, id string, rest ...string) string {
	return c.address(query, append([]string{"v1", "sessions", id}, rest...)...)
}

// faultsIn are the faults of a refusal.
func faultsIn(err error) []Fault {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Faults
	}
	return nil
}
