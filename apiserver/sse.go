package apiserver

import (
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// contentTypeSSE is the media type of a stream.
const contentTypeSSE = "text/event-stream"

// The names of frames that are no events of the log: their data has no specversion. No event is published with such a type.
const (
	frameResume = "resume" // the last, of a stream that the server ends: go on with Last-Event-ID; data says why it ended
	frameGone   = "gone"   // the last: it can not go on; data is a problem document
	frameOutput = "output" // live output of a task; not the last
)

const (
	burstBytes = 64 << 10 // of a burst are written at once
	keptBuffer = 4 << 10  // stays with a stream that is quiet
)

var (
	errCut  = errors.New("the connection is broken")
	errSlow = errors.New("the reader reads too slowly")
)

// sse writes a stream of server-sent events: what is appended is sent by flush. It is written here because an event is one line of JSON
// already: a library would take it apart into strings and put it together again for each of a thousand readers.
type sse struct {
	w     http.ResponseWriter
	conn  *http.ResponseController
	times streamTimes
	buf   []byte
}

func newSSE(w http.ResponseWriter, times streamTimes) *sse {
	inner := w
	if outer, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		inner = outer.Unwrap() // gin's own swallows the error of a flush
	}
	return &sse{w: w, conn: http.NewResponseController(inner), times: times}
}

// begin sends the headers.
func (s *sse) begin() {
	h := s.w.Header()
	h.Set("Content-Type", contentTypeSSE)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	s.w.WriteHeader(http.StatusOK)
}

// comment keeps a connection open, or says something to people.
func (s *sse) comment(text string) {
	s.buf = append(append(append(s.buf, ": "...), text...), "\n\n"...)
}

// position tells a reader where it is, without an event.
func (s *sse) position(sequence uint64) {
	s.id(sequence)
	s.buf = append(s.buf, '\n')
}

func (s *sse) id(sequence uint64) {
	s.buf = append(append(append(s.buf, "id: "...), sdk.FormatSequence(sequence)...), '\n')
}

// record appends an event of the log. It has the name of its type, unless another frame is called so: the log can have such an event.
func (s *sse) record(r *eventlog.Record) {
	if r.Sequence > 0 {
		s.id(r.Sequence)
	}
	if !r.Type.NamesFrame() {
		s.buf = append(append(append(s.buf, "event: "...), r.Type...), '\n')
	}
	s.buf = append(s.buf, "data: "...)
	s.buf = append(r.AppendJSON(s.buf), "\n\n"...)
}

// frame appends what is no event of the log; data is one line.
func (s *sse) frame(name string, data []byte) {
	s.buf = append(append(s.buf, "event: "...), name...)
	s.buf = append(append(append(s.buf, "\ndata: "...), data...), "\n\n"...)
}

// full reports whether it is time to flush.
func (s *sse) full() bool { return len(s.buf) >= burstBytes }

// flush sends what was appended. It answers errCut when that can not be sent, and errSlow when it took too long;
// then what is sent next may not arrive.
func (s *sse) flush() error {
	began := time.Now()
	_ = s.conn.SetWriteDeadline(began.Add(s.times.cut)) // a writer without a connection, as in tests, has none
	_, err := s.w.Write(s.buf)
	if err == nil {
		err = s.conn.Flush()
	}
	if s.buf = s.buf[:0]; cap(s.buf) > keptBuffer {
		s.buf = nil
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	case err != nil:
		return errCut
	case time.Since(began) > s.times.slow:
		return errSlow
	default:
		return nil
	}
}

// end leaves the connection as it was found.
func (s *sse) end() { _ = s.conn.SetWriteDeadline(time.Time{}) }
