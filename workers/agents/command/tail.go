package command

import (
	"strings"
	"unicode"

	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// tail keeps the newest bytes written to it, at most max, and what stands before those as far as a secret may reach from there, in a buffer
// of at most twice that. It never fails.
type tail struct {
	max int
	buf []byte
	cut bool // more than max was written
}

// Write keeps the end of p.
func (t *tail) Write(p []byte) (int, error) {
	n, kept := len(p), t.max+redact.Context
	t.cut = t.cut || len(t.buf)+n > t.max
	if len(p) > kept {
		p = p[len(p)-kept:]
	}
	if len(t.buf)+len(p) > 2*kept {
		keep := t.buf[len(t.buf)-(kept-len(p)):]
		t.buf = append(t.buf[:0], keep...)
	}
	t.buf = append(t.buf, p...)
	return n, nil
}

// redacted is the newest text, at most max bytes, made valid UTF-8. It is cut when its secrets are gone: half of one is no longer known for
// one. It begins with a whole word.
func (t *tail) redacted(clean *redact.Redactor) string {
	said := string(t.buf)
	text := clean.Part(said, max(0, len(said)-t.max), len(said))
	if t.cut {
		text = fromWord(text[max(0, len(text)-t.max):])
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
