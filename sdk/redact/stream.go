package redact

import (
	"slices"
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
func (s *Stream) Add(piece string) string { return s.AddAll([]string{piece})[0] }

// AddAll takes pieces that follow each other and answers what can be given out for each. Of a secret in several of them the one where it begins
// has [Marker]. It costs as much as one Add does, where their length is the same.
func (s *Stream) AddAll(pieces []string) []string {
	if s.redactor == nil || len(pieces) == 0 {
		return slices.Clone(pieces)
	}
	ends, length := make([]int, len(pieces)), len(s.held)
	for i, piece := range pieces {
		length += len(piece)
		ends[i] = length
	}
	s.held += strings.Join(pieces, "")
	whole := strings.LastIndexFunc(s.held, unicode.IsSpace) + 1
	if len(s.held)-whole > streamHeld {
		whole = len(s.held)
	}
	for i := range ends {
		ends[i] = min(ends[i], whole)
	}
	return s.give(ends)
}

// Flush answers what was held back: no more of the word will come.
func (s *Stream) Flush() string { return s.give([]int{len(s.held)})[0] }

// give gives out what is held up to the last of ends, in parts that end there.
func (s *Stream) give(ends []int) []string {
	n := ends[len(ends)-1]
	if n == 0 {
		return make([]string, len(ends))
	}
	whole, said := s.before+s.held[:n], len(s.before)
	s.held = s.held[n:]
	pieces, _ := s.redactor.clean(whole)
	out := parts{text: whole, said: said, ends: ends, out: make([]strings.Builder, len(ends))}
	for i, p := range pieces {
		if i > 0 && p.from > said && !(s.hidden && pieces[i-1].to < said) { // what is hidden between two pieces, and is not marked yet
			out.mark(pieces[i-1].to)
		}
		out.write(p)
	}
	last := pieces[len(pieces)-1]
	s.hidden = strings.TrimSpace(whole[last.from:last.to]) == "" && len(pieces) > 1
	s.before = whole[runeStart(whole, contextOf(whole)):]
	return out.strings()
}

// parts are what is given out of a text behind what was said, in parts.
type parts struct {
	text string
	said int
	ends []int // of each, behind what was said
	out  []strings.Builder
	at   int // the part that is written to
}

// to goes on to the part that has a byte of the text.
func (p *parts) to(i int) {
	for p.at < len(p.ends)-1 && p.said+p.ends[p.at] <= i {
		p.at++
	}
}

// mark writes a marker where a secret begins.
func (p *parts) mark(from int) {
	p.to(from)
	p.out[p.at].WriteString(Marker)
}

// write writes what of a span was not said.
func (p *parts) write(s span) {
	for from := max(s.from, p.said); from < s.to; {
		p.to(from)
		end := min(s.to, p.said+p.ends[p.at])
		p.out[p.at].WriteString(p.text[from:end])
		from = end
	}
}

func (p *parts) strings() []string {
	list := make([]string, len(p.out))
	for i := range p.out {
		list[i] = p.out[i].String()
	}
	return list
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
