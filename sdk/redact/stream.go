package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	streamContext = 4096 // bytes of what was said before that a secret may begin in; of a private key [Context]
	streamHeld    = 4096 // bytes of a word that is held back at most
)

// Stream redacts text that comes in pieces, such as what an agent says while it says it: a secret may begin in one piece and end in another.
// The last word is held back until it is over. Its zero value redacts nothing; make it with [Redactor.Stream]. It is not safe for concurrent
// use.
type Stream struct {
	redactor *Redactor
	before   string // what was given out, unredacted: secrets may begin in it
	held     string // the last word so far
	hidden   bool   // what was given out ends with a secret
}

// Stream is a new stream.
func (r *Redactor) Stream() *Stream { return &Stream{redactor: r} }

// Add takes the next piece and answers what can be given out.
func (s *Stream) Add(piece string) string {
	if s.redactor == nil {
		return piece
	}
	s.held += piece
	end := strings.LastIndexFunc(s.held, unicode.IsSpace) + 1
	if len(s.held)-end > streamHeld {
		end = len(s.held)
	}
	return s.give(end)
}

// Flush answers what was held back: no more of the word will come.
func (s *Stream) Flush() string { return s.give(len(s.held)) }

// give gives out the first n bytes that are held.
func (s *Stream) give(n int) string {
	if n == 0 {
		return ""
	}
	whole, said := s.before+s.held[:n], len(s.before)
	s.held = s.held[n:]
	pieces, _ := s.redactor.clean(whole)
	var b strings.Builder
	for i, p := range pieces {
		if i > 0 && p.from > said && !(s.hidden && pieces[i-1].to < said) { // what is hidden between two pieces, and is not marked yet
			b.WriteString(Marker)
		}
		if p.to > said {
			b.WriteString(whole[max(p.from, said):p.to])
		}
	}
	last := pieces[len(pieces)-1]
	s.hidden = strings.TrimSpace(whole[last.from:last.to]) == "" && len(pieces) > 1
	s.before = whole[runeStart(whole, contextOf(whole)):]
	return b.String()
}

// contextOf is where what may be needed of whole begins: with a private key that has begun and not ended, with that.
func contextOf(whole string) int {
	from := len(whole) - streamContext
	if open := openKey(whole); open >= 0 && open < from {
		return max(open, len(whole)-Context)
	}
	return from
}

// openKey is where a private key begins in s that does not end there, or -1.
func openKey(s string) int {
	begin := strings.LastIndex(s, "-----BEGIN ")
	if begin < 0 || !strings.Contains(s[begin:], "PRIVATE KEY") || strings.Contains(s[begin:], "-----END ") {
		return -1
	}
	return begin
}

// runeStart is the first character that begins at i or after it.
func runeStart(s string, i int) int {
	for i = max(i, 0); i < len(s) && !utf8.RuneStart(s[i]); i++ {
	}
	return i
}
