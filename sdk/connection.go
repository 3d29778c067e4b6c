package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// silence is how long a read of a stream may bring nothing before it is taken for dead; the service says something every 15 seconds.
const silence = 45 * time.Second

// errTold says that there is no more to tell.
var errTold = errors.New("everything was told")

// connection is one connection of a stream of events.
type connection struct {
	*frames
	body   io.ReadCloser
	date   time.Time // the service's clock when it opened; zero where it did not say
	opened time.Time // by the clock here

	hangUp context.CancelCauseFunc
	quiet  *time.Timer // ends the connection when nothing comes while somebody reads
}

// connect opens a stream; lastID is the position to go on after, "" for where the address says. Where everything was read and nothing
// more will come it answers errTold.
func (c *Client) connect(ctx context.Context, address, lastID string) (_ *connection, err error) {
	cl := call{method: http.MethodGet, url: address}
	life, hangUp := context.WithCancelCause(ctx)
	conn := &connection{hangUp: hangUp, quiet: time.AfterFunc(callTimeout, func() { hangUp(errSilent(callTimeout)) })}
	defer func() {
		if err != nil {
			conn.close()
		}
	}()
	req, err := http.NewRequestWithContext(life, cl.method, cl.url, http.NoBody)
	if err != nil {
		return nil, Errorf(CodeInvalidInput, "%v", err)
	}
	c.headers(req.Header)
	req.Header.Set("Accept", "text/event-stream, application/problem+json")
	req.Header.Set("Cache-Control", "no-cache")
	req.Header.Set("Accept-Encoding", "identity") // a proxy that compresses holds events back
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := c.http.Do(req) //nolint:bodyclose // the connection's close does that
	if err != nil {
		return nil, c.unreachable(ctx, cl, because(life, err))
	}
	conn.body = resp.Body
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNoContent:
		return nil, errTold
	default:
		return nil, refusal(cl, resp)
	}
	if !isEventStream(resp.Header.Get("Content-Type")) {
		return nil, &Error{Code: CodeInternal, Message: fmt.Sprintf("%s did not answer with a stream of events; look at EVENTS_SERVICE_URL", cl.url)}
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		conn.date = at
	}
	conn.opened = time.Now()
	conn.quiet.Stop()
	conn.quiet = time.AfterFunc(silence, func() { hangUp(errSilent(silence)) })
	conn.quiet.Stop()
	conn.frames = newFrames(&heard{conn, life})
	return conn, nil
}

// close ends the connection.
func (conn *connection) close() {
	conn.quiet.Stop()
	conn.hangUp(nil)
	if conn.body != nil {
		_ = conn.body.Close() // nothing more is read from it
	}
}

// heard reads a connection, for as long as it may say nothing. Who takes long over what came does not end it.
type heard struct {
	conn *connection
	life context.Context
}

func (h *heard) Read(p []byte) (int, error) {
	h.conn.quiet.Reset(silence)
	n, err := h.conn.body.Read(p)
	h.conn.quiet.Stop()
	return n, because(h.life, err)
}

// because is a read's error, or that it was ended since nothing came.
func because(life context.Context, err error) error {
	if silent := context.Cause(life); err != nil && silent != nil && !errors.Is(silent, context.Canceled) {
		return silent
	}
	return err
}

func errSilent(d time.Duration) error { return fmt.Errorf("nothing came for %s", d) }
