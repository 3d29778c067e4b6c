package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// What differs from one failure to the next of the same kind, in the order in which it is taken out. What stands for it holds nothing
// that a later pattern finds.
var (
	quotedText = regexp.MustCompile("\"[^\"\n]*\"|`[^`\n]*`|“[^”\n]*”|(^|[^\\pL\\pN'])'[^'\n]*'")
	someID     = regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	somePath   = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s,;()]+|(?:[a-zA-Z]:|[\pL\pN_.~@-]*)(?:[/\\][\pL\pN_.~@%+:=-]+)+[/\\]?`)
	someHex    = regexp.MustCompile(`(?i)\b(?:0x[0-9a-f]+|[0-9a-f]*[0-9][0-9a-f]*[a-f][0-9a-f]*|[0-9a-f]*[a-f][0-9a-f]*[0-9][0-9a-f]*)\b`)
	someTime   = regexp.MustCompile(`(?:\b[0-9]+(?:\.[0-9]+)?\s?(?:ns|us|µs|μs|ms|s|m|min|h|sec|secs|seconds?|minutes?|hours?|milliseconds?)\b)|(?:\b(?:[0-9]+(?:\.[0-9]+)?(?:h|ms|m|s))+\b)`)
	someNumber = regexp.MustCompile(`[0-9]+(?:[.,:][0-9]+)*`)
	someSpace  = regexp.MustCompile(`\s+`)
)

// Fingerprint is the same for failures of the same code and role whose messages differ in numbers, ids, quoted text, paths and durations
// only: 16 hexadecimal digits.
func Fingerprint(code sdk.Code, role sdk.Role, message string) string {
	sum := sha256.Sum256([]byte(string(code) + "\x00" + string(role) + "\x00" + normalised(message)))
	return hex.EncodeToString(sum[:8])
}

// normalised is a message without what differs from one failure to the next.
func normalised(message string) string {
	m := strings.ToValidUTF8(message, "")
	m = quotedText.ReplaceAllString(m, "$1<text>")
	m = someID.ReplaceAllString(m, "<id>")
	m = somePath.ReplaceAllString(m, "<path>")
	m = someTime.ReplaceAllString(m, "<time>")
	m = someHex.ReplaceAllString(m, "<id>")
	m = someNumber.ReplaceAllString(m, "<n>")
	return strings.ToLower(strings.TrimSpace(someSpace.ReplaceAllString(m, " ")))
}
