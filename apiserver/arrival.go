package apiserver

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// unreadLinger is how long a connection whose body nobody wanted stays open behind the answer, so that the sender can read it.
const unreadLinger = 500 * time.Millisecond

// arrival is a body on its way. Until the whole of it is there, the connection has a read deadline and is to end with the answer:
// what is left on the wire is neither waited for nor taken for the next request.
type arrival struct {
	io.ReadCloser
	header     http.Header
	connection *http.ResponseController
	due        time.Time
	whole      bool
}

// awaitBody gives the request's body, if it announces one, until limit to arrive; done is called when the request is answered.
func awaitBody(c *gin.Context, limit time.Duration) (done func()) {
	if c.Request.ContentLength == 0 {
		return func() {}
	}
	a := &arrival{
		ReadCloser: c.Request.Body, header: c.Writer.Header(), connection: http.NewResponseController(c.Writer), due: time.Now().Add(limit),
	}
	c.Request.Body = a
	a.header.Set("Connection", "close")
	a.setDeadline(a.due)
	return a.answered
}

func (a *arrival) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) && !a.whole {
		a.whole = true
		a.header.Del("Connection")
		a.setDeadline(time.Time{})
	}
	return n, err
}

// answered leaves a body that is not wanted a moment more.
func (a *arrival) answered() {
	if linger := time.Now().Add(unreadLinger); !a.whole && linger.Before(a.due) {
		a.setDeadline(linger)
	}
}

// setDeadline moves the read deadline; a writer without a connection, as in tests, has none to move.
func (a *arrival) setDeadline(t time.Time) { _ = a.connection.SetReadDeadline(t) }
