package redact

import (
	"slices"
	"strings"
)

// stand is what stands in the place of what stays when the words around it are looked at together: shorter than [leastValue], so that it is
// no value itself.
const stand = "x"

// between answers the parts of text around those that stay, without the secrets that only all of it shows, by the words that stand before
// them: the password of a URL whose user stays. Of these, what has at least [leastValue] bytes in a part is redacted; the - between a user
// and a password that both stay is left. Keys by their look, and patterns of one's own, are secrets in a part alone, which is not looked at
// here: half of one is none.
func (r *Redactor) between(text string, stay [][2]int) []string {
	var whole strings.Builder
	parts := make([]span, 0, len(stay)+1)
	from := 0
	for _, s := range stay {
		parts = append(parts, span{whole.Len(), whole.Len() + s[0] - from})
		whole.WriteString(text[from:s[0]] + stand)
		from = s[1]
	}
	parts = append(parts, span{whole.Len(), whole.Len() + len(text) - from})
	whole.WriteString(text[from:])
	return without(whole.String(), parts, r.reaching(whole.String()))
}

// reaching are where in s those secrets are that can reach over what stays, in order.
func (r *Redactor) reaching(s string) (found []span) {
	pieces := unmarked(s)
	for _, rule := range r.rules {
		if rule.beside == nil {
			continue
		}
		var left []span
		for _, p := range pieces {
			parts := rule.split(s, p)
			for i := 1; i < len(parts); i++ {
				at := parts[i-1].to
				for _, v := range rule.beside(s[at:parts[i].from]) {
					left = append(left, span{p.from, at + v.from})
					found = append(found, span{at + v.from, at + v.to})
					p.from = at + v.to
				}
			}
			left = append(left, p)
		}
		pieces = left
	}
	slices.SortFunc(found, func(a, b span) int { return a.from - b.from })
	return found
}

// without are parts of s, in order, with [Marker] in the place of what they have of secrets.
func without(s string, parts, secrets []span) []string {
	clean := make([]string, 0, len(parts))
	for _, p := range parts {
		var b strings.Builder
		from := p.from
		for ; len(secrets) > 0 && secrets[0].from < p.to; secrets = secrets[1:] {
			secret := secrets[0]
			begin, end := max(secret.from, p.from), min(secret.to, p.to)
			if end-begin >= leastValue {
				b.WriteString(s[from:begin] + Marker)
				from = end
			}
			if secret.to > p.to { // the next part has some of it too
				break
			}
		}
		clean = append(clean, b.String()+s[from:p.to])
	}
	return clean
}
