package expression

import (
	"errors"
	"strings"
)

// An expression in a text, and how its beginning is written where none is meant.
const (
	opens   = "${{"
	closes  = "}}"
	escaped = "$" + opens
)

// piece is a part of a text: either words, or the source of an expression.
type piece struct {
	words      string
	source     string
	expression bool
}

// cut answers the pieces of a text, words and expressions as they come.
func cut(text string) ([]piece, error) {
	var pieces []piece
	var words strings.Builder
	flush := func() {
		if words.Len() > 0 {
			pieces = append(pieces, piece{words: words.String()})
			words.Reset()
		}
	}
	for text != "" {
		switch at := strings.IndexByte(text, '$'); {
		case at < 0:
			words.WriteString(text)
			text = ""
		case strings.HasPrefix(text[at:], escaped):
			words.WriteString(text[:at] + opens)
			text = text[at+len(escaped):]
		case strings.HasPrefix(text[at:], opens):
			words.WriteString(text[:at])
			text = text[at+len(opens):]
			end := closing(text)
			if end < 0 {
				return nil, errors.New("has a ${{ without its }}: close it, or write $${{ where no expression is meant")
			}
			flush()
			pieces = append(pieces, piece{source: text[:end], expression: true})
			text = text[end+len(closes):]
		default:
			words.WriteString(text[:at+1])
			text = text[at+1:]
		}
	}
	flush()
	return pieces, nil
}

// closing is where the }} of an expression is that text begins with, or -1. It is none in a text or a comment of the expression, nor where
// it closes the braces of its maps.
func closing(text string) int {
	depth := 0
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"' || c == '\'':
			end := quoted(text, i)
			if end < 0 {
				return -1
			}
			i = end
			continue
		case c == '/' && strings.HasPrefix(text[i:], "//"):
			line := strings.IndexByte(text[i:], '\n')
			if line < 0 {
				return -1
			}
			i += line
		case c == '{':
			depth++
		case c == '}' && depth > 0:
			depth--
		case c == '}' && strings.HasPrefix(text[i:], closes):
			return i
		}
		i++
	}
	return -1
}

// quoted is where the text ends that begins with the quote at i, or -1.
func quoted(text string, i int) int {
	quote := text[i : i+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(text[i:], triple) {
		quote = triple
	}
	isRaw := raw(text[:i])
	for j := i + len(quote); j < len(text); j++ {
		switch {
		case text[j] == '\\' && !isRaw:
			j++
		case strings.HasPrefix(text[j:], quote):
			return j + len(quote)
		}
	}
	return -1
}

// raw tells whether the quote after this text begins one in which a backslash is a backslash: r"…", br"…".
func raw(before string) bool {
	start := len(before)
	for start > 0 && letter(before[start-1]) {
		start--
	}
	switch strings.ToLower(before[start:]) {
	case "r", "br", "rb":
		return true
	default:
		return false
	}
}

func letter(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
