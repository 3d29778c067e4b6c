package redact

import (
	"regexp"
	"strings"
)

// rule finds secrets of one kind.
type rule struct {
	re      *regexp.Regexp
	group   int                             // what of a match is the secret; 0 is all of it
	needles []string                        // a text without any of them has no match; none: look always
	fold    bool                            // the needles are lower case, and their case does not matter
	find    func(s string) (start, end int) // in the place of re: the first secret, or -1
	secret  func(before, value string) bool // whether a value after what matched before it is a secret; nil: it is
	beside  func(secret string) []span      // what a secret that something stays of can lose, in order; nil: it is not looked for around what stays
}

// span is a part of a text.
type span struct{ from, to int }

// split answers what is left and right of the secrets in a part of text, or nil when there is none.
func (r rule) split(text string, part span) (parts []span) {
	s := text[part.from:part.to]
	if !r.maybe(s) {
		return nil
	}
	rest := 0
	for {
		start, end := r.next(s, rest)
		if start < 0 {
			break
		}
		parts = append(parts, span{part.from + rest, part.from + start})
		rest = end
	}
	if parts == nil {
		return nil
	}
	return append(parts, span{part.from + rest, part.to})
}

// splitAll splits each of pieces; found is false when there was no secret in any.
func (r rule) splitAll(text string, pieces []span) (split []span, found bool) {
	for i, p := range pieces {
		parts := r.split(text, p)
		if parts != nil && !found {
			split, found = append(make([]span, 0, len(pieces)+len(parts)), pieces[:i]...), true
		}
		switch {
		case parts != nil:
			split = append(split, parts...)
		case found:
			split = append(split, p)
		}
	}
	if !found {
		return pieces, false
	}
	return split, true
}

// all is the whole of a secret.
func all(secret string) []span { return []span{{0, len(secret)}} }

// next is the first secret in s[from:], or -1. What is found and is none is passed over from where its value begins.
func (r rule) next(s string, from int) (start, end int) {
	if r.find != nil {
		if start, end = r.find(s[from:]); start < 0 {
			return -1, -1
		}
		return from + start, from + end
	}
	for from < len(s) {
		at := r.re.FindStringSubmatchIndex(s[from:])
		if at == nil {
			break
		}
		start, end := at[2*r.group], at[2*r.group+1]
		if start < 0 {
			start, end = at[0], at[1]
		}
		if start < end && (r.secret == nil || r.secret(s[from+at[0]:from+start], s[from+start:from+end])) {
			return from + start, from + end
		}
		from += max(start, at[0]+1)
	}
	return -1, -1
}

// maybe is a quick look at whether s can have a match.
func (r rule) maybe(s string) bool {
	if len(r.needles) == 0 {
		return s != ""
	}
	if r.fold {
		s = strings.ToLower(s)
	}
	for _, n := range r.needles {
		if strings.Contains(s, n) {
			return true
		}
	}
	return false
}
