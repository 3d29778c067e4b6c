package redact

import (
	"regexp"
	"strings"
)

var (
	keyBegin = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----`)
	keyStop  = regexp.MustCompile(`-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----`)
	keyLines = regexp.MustCompile(`^(?:(?:\s|\\[rn])*(?:Proc-Type|DEK-Info|Version|Comment): [^\n\\]*)*` +
		`(?:(?:\s|\\[rn])*[A-Za-z0-9+/=]{16,})*(?:(?:\r?\n|\\[rn])+[A-Za-z]*[0-9+/=][A-Za-z0-9+/=]*)?`)
)

// pem is the first private key in s. One without an end is what looks like its lines.
func pem(s string) (start, end int) {
	begin := keyBegin.FindStringIndex(s)
	if begin == nil {
		return -1, -1
	}
	body := s[begin[1]:min(len(s), begin[1]+Context)]
	if next := strings.Index(body, "-----BEGIN "); next >= 0 {
		body = body[:next]
	}
	if stop := keyStop.FindStringIndex(body); stop != nil {
		return begin[0], begin[1] + stop[1]
	}
	return begin[0], begin[1] + keyLines.FindStringIndex(body)[1]
}
