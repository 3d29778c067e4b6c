package redact

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Marker stands in the place of a secret.
const Marker = "[redacted]"

// The bounds of patterns of one's own.
const (
	MaxPatterns = 50
	MaxPattern  = 4096 // bytes of one
)

// Off is the setting that turns redaction off.
const Off = "off"

// maxRounds is how often all rules are tried: what one of them takes out can bring a match of another to light. Text that still has one
// then is replaced whole.
const maxRounds = 8

// Redactor replaces secrets. It is safe for concurrent use, and its time grows with the length of what it is given alone. That of a nil
// one is nothing: it answers what it is given.
type Redactor struct {
	rules []rule
}

// Default is a redactor of the common formats: keys of OpenAI, Anthropic, GitHub, GitLab, AWS, Google, Slack, Stripe, SendGrid, Groq, npm, PyPI
// and Hugging Face, rolecall's own, JSON web tokens, private keys in PEM, what follows "Authorization:" and "Bearer", passwords in URLs, and values of
// names such as password, secret and api_key.
func Default() *Redactor { return &Redactor{rules: common()} }

// New is a redactor of the common formats and of patterns, regular expressions as package [regexp] has them. Of a pattern with a group,
// what its first group matched is the secret. An error names every pattern that can not be used by its number, and repeats none of it.
func New(patterns ...string) (*Redactor, error) {
	if len(patterns) > MaxPatterns {
		return nil, fmt.Errorf("%d patterns are more than the %d that there may be: join some with |", len(patterns), MaxPatterns)
	}
	r := Default()
	var faults []error
	for i, p := range patterns {
		re, err := compile(p)
		if err != nil {
			faults = append(faults, fmt.Errorf("pattern %d %w", i+1, err))
			continue
		}
		r.rules = append(r.rules, rule{re: re, group: min(re.NumSubexp(), 1)})
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return r, nil
}

// Parse reads a setting: empty is [Default], [Off] is nil, which redacts nothing, and anything else is patterns for [New], separated by
// newlines or by ";;".
func Parse(setting string) (*Redactor, error) {
	switch strings.TrimSpace(setting) {
	case "":
		return Default(), nil
	case Off:
		return nil, nil
	}
	var patterns []string
	for line := range strings.SplitSeq(strings.ReplaceAll(setting, ";;", "\n"), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			patterns = append(patterns, line)
		}
	}
	return New(patterns...)
}

// compile makes a pattern usable; its error repeats none of it.
func compile(p string) (*regexp.Regexp, error) {
	if len(p) > MaxPattern {
		return nil, fmt.Errorf("is longer than %d bytes", MaxPattern)
	}
	re, err := regexp.Compile(p)
	if fault, ok := errors.AsType[*syntax.Error](err); ok {
		return nil, fmt.Errorf("is not a regular expression: %s", fault.Code)
	}
	if err != nil {
		return nil, errors.New("is not a regular expression")
	}
	if re.MatchString("") {
		return nil, errors.New("matches nothing at all, so it would match everywhere: let it match at least one character")
	}
	return re, nil
}

// String is s with [Marker] in the place of each secret.
func (r *Redactor) String(s string) string {
	if r == nil || s == "" {
		return s
	}
	pieces, found := r.clean(s)
	if !found {
		return s
	}
	var b strings.Builder
	for i, p := range pieces {
		if i > 0 {
			b.WriteString(Marker)
		}
		b.WriteString(s[p.from:p.to])
	}
	return b.String()
}

// Value is the value of something with a name, such as a field or a setting: all of it is a secret where the name says so.
func (r *Redactor) Value(name, value string) string {
	if r != nil && SecretOf(name, value) {
		return Marker
	}
	return r.String(value)
}

// unmarked are the parts of s around each [Marker] that is in it.
func unmarked(s string) []span {
	var pieces []span
	from := 0
	for {
		at := strings.Index(s[from:], Marker)
		if at < 0 {
			return append(pieces, span{from, len(s)})
		}
		pieces = append(pieces, span{from, from + at})
		from += at + len(Marker)
	}
}

// clean is what is left of s around its secrets and each [Marker] that is in it; found says that there are secrets. Where rules go on finding
// some, nothing is left.
func (r *Redactor) clean(s string) (pieces []span, found bool) {
	pieces = unmarked(s)
	for range maxRounds {
		again := false
		for _, rule := range r.rules {
			next, split := rule.splitAll(s, pieces)
			pieces, again = next, again || split
		}
		if !again {
			return pieces, found
		}
		found = true
	}
	return []span{{0, 0}, {len(s), len(s)}}, true
}
