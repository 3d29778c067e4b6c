package transcript

import (
	"bufio"
	"errors"
	"io"
	"iter"
)

// readerBuffer is how much is read at a time.
const readerBuffer = 64 << 10

// Reader reads the events of a stream of JSON lines. It holds one line, at most [MaxLine] bytes of it, and is not safe for concurrent use.
type Reader struct {
	from    *bufio.Reader
	maxLine int
	line    []byte
	events  []Event // of the newest line, not answered yet
	skipped int
	err     error
}

// NewReader reads from r, with the option [MaxLine].
func NewReader(r io.Reader, opts ...Option) *Reader {
	return &Reader{from: bufio.NewReaderSize(r, readerBuffer), maxLine: with(opts).maxLine}
}

// Next answers the next event, and at the end of the stream [io.EOF]. Lines that are no JSON objects are passed over. Of a line that is longer
// than [MaxLine] the event holds the type alone, and Cut is set. Any other error is that of the underlying reader, and comes after the events before it.
func (r *Reader) Next() (Event, error) {
	for len(r.events) == 0 {
		if r.err != nil {
			return Event{}, r.err
		}
		whole, ok := r.readLine()
		if !ok {
			continue
		}
		if whole {
			r.events = Decode(r.line)
		} else if kind := typeOf(r.line); kind != "" {
			r.events = []Event{{Type: kind, Cut: true}}
		}
		if len(r.events) == 0 {
			r.skipped++
		}
	}
	e := r.events[0]
	r.events = r.events[1:]
	return e, nil
}

// Events are all events that are left. After an error, which is never [io.EOF], there is none.
func (r *Reader) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			e, err := r.Next()
			if errors.Is(err, io.EOF) || !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Skipped is how many lines were no events, empty ones aside.
func (r *Reader) Skipped() int { return r.skipped }

// readLine reads the next line; ok is false where there is none. Of one that is not whole the beginning is held.
func (r *Reader) readLine() (whole, ok bool) {
	r.line, whole = r.line[:0], true
	for {
		part, err := r.from.ReadSlice('\n')
		if room := max(r.maxLine-len(r.line), 0); len(trimEnd(part)) > room {
			part, whole = part[:room], false
		}
		r.line = append(r.line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		r.err = err
		return whole, len(trimEnd(r.line)) > 0
	}
}

// trimEnd is a line without its end.
func trimEnd(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line
}
