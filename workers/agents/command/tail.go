package command

import (
	"strings"
	"unicode"
)

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

// String is the newest text, made valid UTF-8. It begins with a whole word: the end of a secret is no longer known for one.
func (t *tail) String() string {
	text := string(t.buf[max(0, len(t.buf)-t.max):])
	if t.cut {
		text = fromWord(text)
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// fromWord is s without the rest of a word that it begins with, unless that is more than half of it.
func fromWord(s string) string {
	if space := strings.IndexFunc(s, unicode.IsSpace); space >= 0 && space <= len(s)/2 {
		return strings.TrimLeftFunc(s[space:], unicode.IsSpace)
	}
	return s
}
