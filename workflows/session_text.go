package workflows

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rolecall-dev/rolecall/sdk"
)

// maxEventPrompt is how many characters of a prompt an event has.
const maxEventPrompt = 200

// titleOf is one line of a prompt for people, at most [sdk.MaxTitle] characters; the type's name where it has no letters.
func titleOf(t sdk.TaskType, prompt string) string {
	for line := range strings.Lines(prompt) {
		title := oneLine(line)
		if title == "" {
			continue
		}
		if short := firstCharacters(title, sdk.MaxTitle-1); short != title {
			return strings.TrimRight(short, " ") + "…"
		}
		return title
	}
	return string(t)
}

// firstCharacters are at most n characters of s.
func firstCharacters(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// oneLine is a text in one line: without control characters, with one space where there was any.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(noControl, s)), " ")
}

// collapse takes excess white space out of a text: at the ends of lines, all but one space between words, all but one of the empty lines
// that follow each other, and all around it. How far a line is indented stays, which means something in code. Other control characters go.
func collapse(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n").Replace(text)
	var b strings.Builder
	empty := 0
	for line := range strings.SplitSeq(text, "\n") {
		words := oneLine(line)
		if words == "" {
			empty++
			continue
		}
		if b.Len() > 0 {
			b.WriteString(strings.Repeat("\n", min(empty, 1)+1))
			b.WriteString(indentOf(line))
		}
		b.WriteString(words)
		empty = 0
	}
	return b.String()
}

// indentOf is the white space that a line begins with.
func indentOf(line string) string {
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// noControl is for [strings.Map]: white space stays, every other control character goes.
func noControl(r rune) rune {
	if unicode.IsControl(r) && !unicode.IsSpace(r) {
		return -1
	}
	return r
}

// fit is a text of at most so many characters, and bytes as JSON; what was cut says so. A budget that is smaller than that is for that alone.
func fit(text string, characters, bytes int) string {
	if n := utf8.RuneCountInString(text); n > characters {
		text = firstCharacters(text, max(characters-len(truncated), 0)) + truncated
	}
	size := 2
	for i, r := range text {
		if size += encodedRune(r); size > bytes {
			return firstBytes(text[:i], bytes-2-len(truncated)) + truncated
		}
	}
	return text
}

// firstBytes are as many characters of s as take at most so many bytes as JSON.
func firstBytes(s string, bytes int) string {
	size := 0
	for i, r := range s {
		if size += encodedRune(r); size > bytes {
			return s[:i]
		}
	}
	return s
}

// encodedRune is at least how many bytes a character takes in a JSON string.
func encodedRune(r rune) int {
	switch {
	case r == '"' || r == '\\' || r == '\n' || r == '\t':
		return 2
	case r < ' ' || r == '\u2028' || r == '\u2029' || r == utf8.RuneError:
		return 6
	default:
		return utf8.RuneLen(r)
	}
}
