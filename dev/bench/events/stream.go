package events

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// stream is a stream of server-sent events, read frame by frame.
type stream struct {
	body io.ReadCloser
	in   *bufio.Reader
	data []byte
}

// frame is one event of a stream. Its data is good until the next one is read.
type frame struct {
	id   uint64 // 0 for one without
	name string
	data []byte
	at   time.Time // when its data had come
}

// follow opens a stream over a connection of its own, unless c has an idle one. It returns when the server follows the log.
func follow(ctx context.Context, c *http.Client, url, project string, buffer int) (*stream, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Rolecall-Project", project)
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 300)) // what can be read of it is said
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s was answered with %s: %s", url, resp.Status, said)
	}
	return &stream{body: resp.Body, in: bufio.NewReaderSize(resp.Body, buffer)}, nil
}

func (s *stream) close() { _ = s.body.Close() }

// next answers the next frame with data.
func (s *stream) next() (frame, error) {
	var f frame
	for {
		line, err := s.in.ReadSlice('\n')
		if err != nil {
			return frame{}, fmt.Errorf("the stream ended: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			if f.data != nil {
				return f, nil
			}
			f = frame{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "id":
			if f.id, err = strconv.ParseUint(string(value), 10, 64); err != nil {
				return frame{}, fmt.Errorf("an id of a stream: %w", err)
			}
		case "event":
			f.name = string(value)
		case "data":
			f.at = time.Now()
			s.data = append(s.data[:0], value...)
			f.data = s.data
		}
	}
}
