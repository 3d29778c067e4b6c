package main

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// printable is a text of an agent or server as it may go to a terminal: control characters, which could move the cursor or
// recolour the screen, become spaces. Line breaks stay when lines is set.
func printable(s string, lines bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' && lines:
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == utf8.RuneError:
			return ' '
		default:
			return r
		}
	}, s)
}

// columns is how wide a character stands on a terminal, roughly: East Asian wide characters and emoji take two columns.
func columns(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1100 && r <= 0x115F, r >= 0x2E80 && r <= 0xA4CF, r >= 0xAC00 && r <= 0xD7A3, r >= 0xF900 && r <= 0xFAFF,
		r >= 0xFE30 && r <= 0xFE6F, r >= 0xFF00 && r <= 0xFF60, r >= 0xFFE0 && r <= 0xFFE6, r >= 0x1F300 && r <= 0x1FAFF, r >= 0x20000 && r <= 0x3FFFD:
		return 2
	default:
		return 1
	}
}

// fit cuts a text to a width in columns, with an ellipsis where something is left out.
func fit(s string, width int) string {
	total := 0
	for _, r := range s {
		total += columns(r)
	}
	if total <= width {
		return s
	}
	var out strings.Builder
	used := 0
	for _, r := range s {
		if used+columns(r) > width-1 {
			break
		}
		used += columns(r)
		out.WriteRune(r)
	}
	if width > 0 {
		out.WriteRune('…')
	}
	return out.String()
}

// span is a duration in the precision that helps a person.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}
