package workers

import (
	"strings"
	"unicode/utf8"

	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// saying is a piece of what an agent says, as it was said.
type saying struct {
	kind sayingKind
	text string // of a line with its end
}

type sayingKind int

const (
	aLine    sayingKind = iota
	aDelta              // is added to what was said before it
	aLineEnd            // ends a line that was said in deltas
	aTool               // is redacted: nothing else belongs to it
)

// spoken is what it adds to the text of all that is said.
func (s saying) spoken() string {
	if s.kind == aTool {
		return ""
	}
	return s.text
}

// heard is what was said and not looked at yet: the newest, as much as may wait, and of what that pushed out as much as a secret may begin in.
// The zero value is nothing.
type heard struct {
	newest []saying
	size   int    // bytes of text in newest
	passed []byte // the end of what was pushed out
}

// add takes what was said next. Of a long text the end is kept.
func (h *heard) add(s saying) {
	if n := len(h.newest); s.kind == aDelta && n > 0 && h.newest[n-1].kind == aDelta && len(h.newest[n-1].text)+len(s.text) <= outputPiece {
		h.newest[n-1].text += s.text
	} else {
		h.newest = append(h.newest, s)
	}
	h.size += len(s.text)
	for h.size > outputQueue || len(h.newest) > outputFrames {
		first := &h.newest[0]
		over := h.size - outputQueue
		for over > 0 && over < len(first.text) && !utf8.RuneStart(first.text[over]) {
			over++
		}
		if first.kind == aTool || len(h.newest) > outputFrames || over >= len(first.text) {
			h.push(first.spoken())
			h.size -= len(first.text)
			h.newest = h.newest[1:]
			continue
		}
		h.push(first.text[:over])
		h.size -= over
		if first.text = first.text[over:]; over > outputQueue {
			first.text = strings.Clone(first.text) // a long text is not kept for its end
		}
	}
}

// push lets a text be pushed out.
func (h *heard) push(text string) {
	h.passed = append(h.passed, text[max(0, len(text)-redact.Context):]...)
	if len(h.passed) > 2*redact.Context { // from time to time, not for each
		h.passed = append(h.passed[:0], h.passed[len(h.passed)-redact.Context:]...)
	}
}

// pass pushes out all that waits.
func (h *heard) pass() {
	for _, s := range h.newest {
		h.push(s.spoken())
	}
	h.newest, h.size = nil, 0
}

// all hands over what waits, with what was pushed out before it. Where nothing waits, that is kept for later, unless nothing follows.
func (h *heard) all(last bool) (passed string, newest []saying) {
	if len(h.newest) == 0 && !last {
		return "", nil
	}
	passed, newest = string(h.passed), h.newest
	h.passed, h.newest, h.size = h.passed[:0], nil, 0
	return passed, newest
}
