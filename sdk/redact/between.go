package redact

import "strings"

// stand is what stands in the place of what stays when the words around it are looked at together: a short word, of which no rule makes a
// secret.
const stand = "x"

// between answers the parts of text around those that stay, without the secrets that only all of it shows: the password of a URL whose user
// stays. A part of a secret that is shorter than [leastValue] is left, as the - between a user and a password that both stay.
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
	return without(whole.String(), parts, r.secrets(whole.String()))
}

// secrets are where the secrets of s are, in order, and each [Marker] that is in it.
func (r *Redactor) secrets(s string) []span {
	pieces, _ := r.clean(s)
	found := make([]span, 0, len(pieces)-1)
	for i := 1; i < len(pieces); i++ {
		found = append(found, span{pieces[i-1].to, pieces[i].from})
	}
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
			if end-begin >= leastValue || p.from <= secret.from && secret.to <= p.to {
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
