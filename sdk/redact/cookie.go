package redact

import "strings"

// isCookie tells cookies that have a value from those that have what stands for one, or none.
func isCookie(before, v string) bool { return isMixedValue(before, v) && len(cookieValues(v)) > 0 }

// cookieValues are where the values of cookies are, "a=1; b=2; Path=/", without those of attributes and what stands for one in a template.
// None has a space in it.
func cookieValues(cookies string) (values []span) {
	from := 0
	for pair := range strings.SplitSeq(cookies, ";") {
		name, value, _ := strings.Cut(pair, "=")
		at := from + len(pair) - len(value)
		if !isAttribute(strings.TrimSpace(name)) && isFilledIn("", value) {
			value, _, _ = strings.Cut(value, " ")
			values = append(values, span{at, at + len(value)})
		}
		from += len(pair) + len(";")
	}
	return values
}

// isAttribute reports whether a name says what a browser does with a cookie.
func isAttribute(name string) bool {
	switch strings.ToLower(name) {
	case "path", "domain", "expires", "max-age", "samesite", "priority":
		return true
	default:
		return false
	}
}
