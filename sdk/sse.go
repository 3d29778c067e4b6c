package sdk

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// maxFrame bounds a line of an event stream, and the data of one event: one with the largest data fits three times.
const maxFrame = 1 << 20

// frame is one event of a text/event-stream. One without data only moves the position on.
type frame struct {
	id   string // where the stream stands; "" where the event does not say
	name string // what kind of event it is
	data []byte
}

// frames reads a text/event-stream.
type frames struct{ lines *bufio.Reader }

func newFrames(r io.Reader) *frames { return &frames{lines: bufio.NewReaderSize(r, 4096)} }

// next answers the next event; comments are passed over. At the end of the stream it answers io.EOF, and what was not complete is left
// out. An event that is larger than [maxFrame] is an [Error] of code payload_too_large.
func (f *frames) next() (frame, error) {
	var out frame
	for {
		line, err := f.line()
		if err != nil {
			return frame{}, err
		}
		if len(line) == 0 {
			if out.id != "" || out.data != nil {
				out.data = bytes.TrimSuffix(out.data, []byte("\n"))
				return out, nil
			}
			out.name = "" // a name alone is nothing
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "id":
			out.id = string(value)
		case "event":
			out.name = string(value)
		case "data":
			if len(out.data)+len(value) > maxFrame {
				return frame{}, tooLargeFrame()
			}
			out.data = append(append(out.data, value...), '\n')
		}
	}
}

// line answers the next line without its end, \n or \r\n. It is good until the next call.
func (f *frames) line() ([]byte, error) {
	var whole []byte
	for {
		part, err := f.lines.ReadSlice('\n')
		if len(whole)+len(part) > maxFrame {
			return nil, tooLargeFrame()
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			whole = append(whole, part...)
			continue
		case err != nil:
			return nil, err
		case whole == nil:
			whole = part
		default:
			whole = append(whole, part...)
		}
		return bytes.TrimRight(whole, "\r\n"), nil
	}
}

func tooLargeFrame() *Error {
	return Errorf(CodePayloadTooLarge, "the service sent an event of more than %d bytes", maxFrame)
}

// isEventStream reports whether a media type is that of server-sent events.
func isEventStream(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/event-stream")
}
