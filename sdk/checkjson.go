package sdk

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkJSON says what is wrong with a JSON text, or "": it must be valid UTF-8, parse, and nest at most MaxJSONDepth deep.
func checkJSON(raw []byte) string {
	if !utf8.Valid(raw) {
		return "is not valid UTF-8"
	}
	if jsonDepth(raw) > MaxJSONDepth {
		return fmt.Sprintf("nests deeper than %d", MaxJSONDepth)
	}
	if !json.Valid(raw) {
		return "is not valid JSON"
	}
	return ""
}

// jsonDepth is how deep arrays and objects nest, in one pass and without recursion.
func jsonDepth(raw []byte) int {
	depth, deepest, inString := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// CheckJSON answers nil when raw is UTF-8 JSON of at most limit bytes and [MaxJSONDepth] levels; otherwise an [Error] of code
// payload_too_large or invalid_input that says which.
func CheckJSON(raw []byte, limit int) error {
	if len(raw) > limit {
		return Errorf(CodePayloadTooLarge, "%d bytes are more than the %d allowed", len(raw), limit)
	}
	if msg := checkJSON(raw); msg != "" {
		return Errorf(CodeInvalidInput, "the value %s", msg)
	}
	return nil
}

// Cut shortens s to at most limit bytes without splitting a character; what is not UTF-8 is replaced.
func Cut(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
