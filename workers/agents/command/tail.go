package command

import "strings"

// tail keeps the newest bytes written to it, at most max, in a buffer of at most twice that. It never fails.
type tail struct {
	max int
	buf []byte
	cut bool // more than max was written
}

// Write keeps the end of p.
func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	t.cut = t.cut || len(t.buf)+n > t.max
	if len(p) > t.max {
		p = p[len(p)-t.max:]
	}
	if len(t.buf)+len(p) > 2*t.max {
		keep := t.buf[len(t.buf)-(t.max-len(p)):]
		t.buf = append(t.buf[:0], keep...)
	}
	t.buf = append(t.buf, p...)
	return n, nil
}

// String is the newest text, made valid UTF-8.
func (t *tail) String() string {
	return strings.ToValidUTF8(string(t.buf[max(0, len(t.buf)-t.max):]), "\uFFFD")
}
