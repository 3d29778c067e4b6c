package expression

import "strings"

// Part is an expression in a text with its ${{ and }}, or what stands for ${{ itself.
type Part struct {
	From, To   int // in the text
	Source     string
	Expression bool
}

// Parts answers the expressions of a text, in order, as a [Template] finds them. After one that has no end there are no more.
func Parts(text string) (parts []Part) {
	for at := 0; ; {
		next := strings.Index(text[at:], opens)
		if next < 0 {
			return parts
		}
		begin := at + next
		at = begin + len(opens)
		if begin > 0 && text[begin-1] == escaped[0] && (len(parts) == 0 || parts[len(parts)-1].To < begin) {
			parts = append(parts, Part{From: begin - 1, To: at})
			continue
		}
		end := closing(text[at:])
		if end < 0 {
			return parts
		}
		source := text[at : at+end]
		at += end + len(closes)
		parts = append(parts, Part{From: begin, To: at, Source: source, Expression: true})
	}
}

// Bare is an expression without its texts, and without the signs with which prose assigns a value to a name. Its comments are as they are.
func Bare(source string) string {
	var b strings.Builder
	for i := 0; i < len(source); {
		switch c := source[i]; {
		case c == '"' || c == '\'':
			end := quoted(source, i)
			if end < 0 {
				end = len(source)
			}
			b.WriteString("''")
			i = end
			continue
		case c == '/' && strings.HasPrefix(source[i:], "//"):
			line := strings.IndexByte(source[i:], '\n')
			if line < 0 {
				line = len(source) - i
			}
			b.WriteString("\n" + source[i:i+line])
			i += line
			continue
		case c == ':' || c == '=':
			b.WriteByte('\n')
		default:
			b.WriteByte(c)
		}
		i++
	}
	return b.String()
}
