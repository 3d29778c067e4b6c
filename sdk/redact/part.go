package redact

import "strings"

// Context is how many bytes around a part of text are looked at for secrets that reach into it.
const Context = 16 << 10

// Part is what [Redactor.String] makes of s[from:to]: of a secret that reaches into the part only [Marker] is left. Cut text in this way and
// not before it is redacted: half a secret is no longer known for one. At most [Context] bytes on either side are looked at. What it answers
// can be longer than the part, by its markers.
func (r *Redactor) Part(s string, from, to int) string {
	if r == nil || from >= to {
		return s[from:max(from, to)]
	}
	start := runeStart(s, from-Context)
	s, from, to = s[start:min(len(s), to+Context)], from-start, to-start
	pieces, _ := r.clean(s)
	var b strings.Builder
	for i, p := range pieces {
		if i > 0 && p.from > from && pieces[i-1].to < to { // a secret that ends in the part or begins in it
			b.WriteString(Marker)
		}
		if p.from < to && p.to > from {
			b.WriteString(s[max(p.from, from):min(p.to, to)])
		}
	}
	return b.String()
}
