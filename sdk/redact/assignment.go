package redact

import (
	"regexp"
	"strings"
)

// Names whose values are secrets, where a text ends with one.
var (
	keyName = regexp.MustCompile(`(?i)(?:pass(?:word|wd|phrase)|pwd|secret(?:[ _-]?access)?(?:[ _-]?key)?` +
		`|(?:api|access|account|auth|private|encryption|signing)[ _-]?key|(?:access|api|auth|bearer|refresh|secret|session|id)[ _-]?token` +
		`|credentials?|[_-]pass|(?:^|[^a-z0-9])token|(?-i:[a-z]Token))$`)
	dotted = regexp.MustCompile(`^[A-Za-z_]+(?:\.[A-Za-z_]+)+\)*$`)
)

const (
	nameWindow  = 40   // bytes before a sign that a name is looked for in
	valueWindow = 1024 // bytes of a value that are looked at to tell whether it is one
	leastValue  = 4    // bytes of a value without quotes
	leastOnLine = 6    // bytes of one that stands behind a space at the end of its line
)

// assignment is the first value in s that is assigned to a name such as password or api_key: name=value, "name": "value", name: value.
func assignment(s string) (start, end int) {
	for i := 0; i < len(s); {
		at := strings.IndexAny(s[i:], "=:")
		if at < 0 {
			break
		}
		sign := i + at
		i = sign + 1
		for i < len(s) && i < sign+3 && strings.IndexByte(":=>", s[i]) >= 0 {
			i++
		}
		if op := s[sign:i]; op != "=" && op != ":" && op != ":=" && op != "=>" {
			continue
		}
		name, apart := nameBefore(s[:sign])
		if name == "" {
			continue
		}
		if start, end = valueAfter(s, i, written{name: name, sign: s[sign], apart: apart, heading: inHeading(s[:sign])}); start >= 0 {
			return start, end
		}
	}
	return -1, -1
}

// nameBefore is the name that s ends with, in quotes or not; apart says that there is space behind it.
func nameBefore(s string) (name string, apart bool) {
	s = s[max(0, len(s)-nameWindow):]
	bare := strings.TrimRight(s, " \t")
	apart = len(bare) < len(s)
	bare = strings.TrimRight(bare, "\"'`\\")
	if !endsLikeName(bare) {
		return "", false
	}
	return keyName.FindString(bare), apart
}

// endsLikeName is a quick look at whether keyName can match.
func endsLikeName(s string) bool {
	for _, end := range [...]string{"word", "wd", "phrase", "pass", "secret", "key", "token", "credential", "credentials"} {
		if len(s) >= len(end) && strings.EqualFold(s[len(s)-len(end):], end) {
			return true
		}
	}
	return false
}

// written is how an assignment is written.
type written struct {
	name    string
	sign    byte // the first of the sign
	apart   bool // there is space before the sign
	heading bool // its line is a heading
}

// valueAfter is the value at i, behind the sign of an assignment, or -1.
func valueAfter(s string, i int, w written) (start, end int) {
	start = i
	for start < len(s) && (s[start] == ' ' || s[start] == '\t') {
		start++
	}
	spaced := w.apart || start > i
	escaped := start
	for start < len(s) && s[start] == '\\' {
		start++
	}
	if start == len(s) {
		return -1, -1
	}
	if quote := s[start]; quote == '"' || quote == '\'' {
		start++
		end = start + quoted(s[start:], quote, start-1 > escaped)
		if !isSecretOf(w.name, s[start:min(end, start+valueWindow)]) {
			return -1, -1
		}
		return start, end
	}
	end = start + plain(s[start:min(len(s), start+valueWindow)])
	v := s[start:end]
	mixed := isMixed(v)
	if !isValue(w.name, v) || isCode(w, v, spaced && w.apart) || spaced && !mixed && (w.heading || end-start < leastOnLine || !lineEnds(s[end:])) {
		return -1, -1
	}
	return start, start + plain(s[start:])
}

// quoted is how much of s stands before the end of its quotes, or of its line. In escaped quotes nothing is escaped once more.
func quoted(s string, quote byte, escaped bool) int {
	if escaped {
		if end := strings.IndexAny(s, "\"'\\\n"); end >= 0 {
			return end
		}
		return len(s)
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case quote, '\n':
			return i
		case '\\':
			i++
		}
	}
	return len(s)
}

// plain is how much of s a value without quotes is.
func plain(s string) int {
	if end := strings.IndexAny(s, " \t\r\n\"'`,;&"); end >= 0 {
		return end
	}
	return len(s)
}

// lineEnds reports whether nothing but space follows on the line.
func lineEnds(s string) bool {
	s = strings.TrimLeft(s[:min(len(s), nameWindow)], " \t\r")
	return s == "" || s[0] == '\n'
}

// isValue tells a value without quotes from a piece of a program.
func isValue(name, v string) bool {
	switch {
	case len(v) < leastValue, !isFilledIn("", v), strings.ContainsAny(v, "("), strings.Contains(v, ".") && dotted.MatchString(v), strings.HasPrefix(v, "["), strings.HasPrefix(v, "//"):
		return false
	case strings.HasSuffix(strings.ToLower(name), "pwd") && strings.ContainsAny(v[:1], "/.~"): // the working directory
		return false
	default:
		return !strings.EqualFold(strings.Trim(v, "()[]{}.!?"), name) && !isKeyword(v)
	}
}

// isMixed reports whether v is more than a word.
func isMixed(v string) bool { return strings.ContainsAny(v, "0123456789!@#$%^*+=~") }
