package openai

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/openai/openai-go/v3/option"
)

const (
	// maxEvent bounds one event of a stream: the longest answer there may be, in one piece and with most of its characters escaped.
	maxEvent = 4 << 20
	// maxBody bounds what is read of an answer that is no stream.
	maxBody = 64 << 10
)

// errEvent is the failure of a stream with an event that is larger than maxEvent.
var errEvent = errors.New("a piece of the answer is too large")

// streamsOnly lets the streams of an endpoint through, bounded. Any other answer of it is a *refusal.
func streamsOnly(req *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	res, err := next(req)
	if err != nil {
		return nil, err
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		kind = "" // some say none
	}
	whole := kind == "application/json" || kind == "text/html"
	if res.StatusCode/100 == 2 && !whole {
		res.Body = &events{ReadCloser: res.Body}
		return res, nil
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxBody)) // what was read of it has to do
	_ = res.Body.Close()                                     // it was only read
	no := readRefusal(res.StatusCode, body)
	switch {
	case res.StatusCode/100 == 2 && no.status == 0 && no.message == "":
		no.final, no.message = true, fmt.Sprintf("the endpoint answers with %s and not with a stream: is its address right? Most end in /v1", kind)
	case no.message == "" && res.StatusCode == http.StatusNotFound:
		no.message = "Not Found: is the endpoint's address right? Most end in /v1"
	}
	no.after = retryAfter(res.Header)
	return nil, no
}

// events is a stream of events none of which is larger than maxEvent.
type events struct {
	io.ReadCloser
	event int // bytes of the event that is being read
	line  int // and of its line
}

// Read implements io.Reader.
func (e *events) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	for _, c := range p[:n] {
		e.event++
		switch {
		case c != '\n' && c != '\r':
			e.line++
		case c == '\n' && e.line == 0: // an empty line ends an event
			e.event = 0
		case c == '\n':
			e.line = 0
		}
		if e.event > maxEvent {
			return 0, errEvent
		}
	}
	return n, err
}
