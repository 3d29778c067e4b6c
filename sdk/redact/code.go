package redact

import (
	"regexp"
	"slices"
	"strings"
)

var (
	expression = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*|\[[A-Za-z0-9_.]*\]?)*[!?)\]}]*$`)
	weakName   = regexp.MustCompile(`(?i)(?:credentials?|(?:^|[^a-z0-9])token|(?-i:[a-z]Token))$`)
	mixedPart  = regexp.MustCompile(`_[A-Za-z]{12,}`)
	environ    = regexp.MustCompile(`^(?:process\.env|import\.meta\.env|os\.environ|env)[.\[]`)
	ownWords   = regexp.MustCompile(`(?:(?:^|[_.\[])(?i:password|passwd|passphrase|pwd|secret|token|credential|key)|[A-Za-z0-9](?:Password|Secret|Token|Credential|Key))s?(?:[^a-z]|$)`)
)

const (
	leastMixed  = 8  // characters of the value of a name that often has none
	leastRandom = 12 // characters of what no one would name a variable
)

// isCode tells a piece of a program from a value without quotes: a variable, a field or an element, where it stands as programs write it,
// or is named as what it is assigned to, with one digit at most at its end. What is assigned as an environment is, NAME=value, is none.
func isCode(w written, v string, spaced bool) bool {
	switch {
	case !expression.MatchString(v):
		return false
	case environ.MatchString(v):
		return true
	case isRandom(v):
		return false
	case w.sign == '=' && spaced:
		return true
	case w.sign == '=' && !w.apart && w.name == strings.ToUpper(w.name):
		return false
	default:
		return ownWords.MatchString(v) && lastDigits(v) < 2
	}
}

// lastDigits counts those that v ends with, before what ends an expression.
func lastDigits(v string) int {
	v = strings.TrimRight(v, "!?)}")
	return len(v) - len(strings.TrimRight(v, "0123456789"))
}

// isRandom reports whether digits and letters take turns in v, or large and small letters behind an underscore, as nobody names a variable.
func isRandom(v string) bool {
	turns := 0
	for i := 1; i < len(v); i++ {
		if isDigit(v[i]) && isLetter(v[i-1]) || isLetter(v[i]) && isDigit(v[i-1]) {
			turns++
		}
	}
	return len(v) >= leastRandom && (turns >= 3 || slices.ContainsFunc(mixedPart.FindAllString(v, -1), isMixedUp))
}

// isMixedUp reports whether the words of a part that is written likeThis are shorter than words are: less than three and a half letters.
func isMixedUp(part string) bool {
	words := 1
	for i := 1; i < len(part); i++ {
		if 'a' <= part[i-1] && part[i-1] <= 'z' && 'A' <= part[i] && part[i] <= 'Z' {
			words++
		}
	}
	return words > 2 && 7*words > 2*(len(part)-len("_"))
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// isKeyword reports whether v says what kind of value there is and not which.
func isKeyword(v string) bool {
	switch strings.ToLower(strings.Trim(v, "()[]{}.!?")) {
	case "string", "number", "boolean", "integer", "object", "bytes", "secret", "token", "varchar", "identifier", "keyword", "include", "omit",
		"same-origin", "required", "optional", "undefined", "unknown", "default", "private", "public", "readonly", "nullable", "option", "interface":
		return true
	default:
		return false
	}
}

// isSecretOf reports whether v is the secret of a name. That of names which often have none, such as token, must look like one.
func isSecretOf(name, v string) bool {
	if v == Marker || !isFilledIn("", v) || isKeyword(v) {
		return false
	}
	return !isWeak(name) || len(v) >= leastMixed && strings.ContainsAny(v, "0123456789") && strings.ContainsFunc(v, func(c rune) bool { return c > '9' })
}

// isWeak reports whether a name often has a value that is no secret: a token of a page or of a language, the credentials of a request.
func isWeak(name string) bool {
	return weakName.MatchString(name) && !strongToken.MatchString(name)
}

var strongToken = regexp.MustCompile(`(?i)(?:access|api|auth|bearer|refresh|secret|session|id)[ _-]?token$`)

// inHeading reports whether the line that before ends in is a heading.
func inHeading(before string) bool {
	line := before[max(0, len(before)-2*nameWindow):]
	line = line[strings.LastIndexByte(line, '\n')+1:]
	return strings.HasPrefix(line, "#")
}
