package redact

import (
	"regexp"
	"strings"
)

// Keys that begin as their makers let them.
var (
	modelKey   = regexp.MustCompile(`(?:^|[^A-Za-z0-9])(sk-[A-Za-z0-9_-]{16,})`)
	gitKey     = regexp.MustCompile(`(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|gl(?:pat|ptt|rt|dt)-[A-Za-z0-9_-]{16,})`)
	awsKey     = regexp.MustCompile(`(?:^|[^A-Za-z0-9])((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})`)
	googleKey  = regexp.MustCompile(`(?:AIza[A-Za-z0-9_-]{30,}|GOCSPX-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,})`)
	slackKey   = regexp.MustCompile(`(?:xox[a-z]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,}|hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{16,})`)
	stripeKey  = regexp.MustCompile(`(?:[srp]k_(?:live|test)_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/=]{16,})`)
	packageKey = regexp.MustCompile(`(?:npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,})`)
	modelHub   = regexp.MustCompile(`(?:^|[^A-Za-z0-9])(hf_[A-Za-z0-9]{30,})`)
	mailKey    = regexp.MustCompile(`SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`)
	groqKey    = regexp.MustCompile(`(?:^|[^A-Za-z0-9])(gsk_[A-Za-z0-9]{20,})`)
	ownKey     = regexp.MustCompile(`(?:^|[^A-Za-z0-9])(r[kal]_[A-Za-z0-9_.=-]{20,})`)
	webToken   = regexp.MustCompile(`(?:^|[^A-Za-z0-9_-])(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*)`)
	keyEnd     = regexp.MustCompile(`(?:(?:(?m:^)[A-Za-z0-9+/=]+\r?\n)+|(?:[A-Za-z0-9+/=]+(?:\\r)?\\n)+)-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----`)
)

// Values by what stands before them.
var (
	authorized  = regexp.MustCompile(`(?i)authorization\\*["']?\s*[:=]\s*\\*["']?(?:(?:bearer|basic|token|digest|apikey|negotiate)\s+)?([^\s"'` + "`" + `\\,;]{4,})`)
	bearer      = regexp.MustCompile(`(?i)bearer\s+([A-Za-z0-9._~+/=-]{8,})`)
	urlPassword = regexp.MustCompile(`://[^\s/:@"'<>?#]*:([^\s/"'<>?#]+)@`)
	urlToken    = regexp.MustCompile(`://([^\s/:@"'<>?#]{16,})@`)
	placeholder = regexp.MustCompile(`^(?:(?:\$\{[^}]*\}[-_.:/]?)+|\$\([^)]*\)?|\$(?:[A-Z_][A-Z0-9_]*|[A-Za-z_]+)[)\]}]*|<[^<>]*>|<[A-Za-z_-]*|\${0,2}\{\{[^}]*(?:\}\})?|\$\{[^}]*` +
		`|\{[A-Za-z_.]*\}?|(?:%(?:[+#]?[a-zA-Z]|\([A-Za-z_]*\)[a-z])[-_.:/]?)+|%[A-Z_]+%|\*+|\.\.\.+)$`)
	option  = regexp.MustCompile(`--(?:[a-z0-9]+-)*(?:password|passwd|pass|passphrase|token|secret|(?:api|access|secret)-?key)[ \t]+\\?["']?([^\s"'\x60\\,;&|()-][^\s"'\x60\\,;&|()]{3,})`)
	user    = regexp.MustCompile(`\bcurl\b[^\n]{0,400}?\s(?:-u|--user)[ =]*["']?[^\s:"']+:([^\s"'\\]{2,})`)
	element = regexp.MustCompile(`(?i)<[a-z:_-]*(?:password|passwd|passphrase|secret|token|api-?key)>\s*([^<>\s]{4,})\s*</`)
	cookie  = regexp.MustCompile(`(?i)\bcookie:[ \t]*([^\s"'\x60\\]+=[^\r\n"'\x60\\]{6,})`)
)

// common are the rules of the common formats.
func common() []rule {
	return []rule{
		{find: pem, needles: []string{"PRIVATE KEY"}},
		{re: keyEnd, needles: []string{"PRIVATE KEY"}},
		{re: modelKey, group: 1, needles: []string{"sk-"}},
		{re: gitKey, needles: []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "glptt-", "glrt-", "gldt-"}},
		{re: awsKey, group: 1, needles: []string{"AKIA", "ASIA", "ABIA", "ACCA"}},
		{re: googleKey, needles: []string{"AIza", "GOCSPX-", "ya29."}},
		{re: slackKey, needles: []string{"xox", "xapp-", "hooks.slack.com"}},
		{re: stripeKey, needles: []string{"k_live_", "k_test_", "whsec_"}},
		{re: packageKey, needles: []string{"npm_", "pypi-"}},
		{re: modelHub, group: 1, needles: []string{"hf_"}},
		{re: ownKey, group: 1, needles: []string{"rk_", "ra_", "rl_"}},
		{re: webToken, group: 1, needles: []string{"eyJ"}},
		{re: urlPassword, group: 1, needles: []string{"@"}, secret: isFilledIn, beside: all},
		{re: urlToken, group: 1, needles: []string{"@"}, secret: isFilledIn},
		{re: authorized, group: 1, needles: []string{"authorization"}, fold: true, secret: isAuthorization, beside: all},
		{re: option, group: 1, needles: []string{"--"}, secret: isMixedValue, beside: all},
		{re: user, group: 1, needles: []string{"curl"}, secret: isFilledIn, beside: all},
		{re: element, group: 1, needles: []string{"</"}, secret: isElement, beside: all},
		{re: cookie, group: 1, needles: []string{"cookie:"}, fold: true, secret: isCookie, beside: cookieValues},
		{re: mailKey, needles: []string{"SG."}},
		{re: groqKey, group: 1, needles: []string{"gsk_"}},
		{re: bearer, group: 1, needles: []string{"bearer"}, fold: true, secret: isToken, beside: all},
		{find: assignment, beside: all},
	}
}

// isFilledIn tells a value from what stands for one in a template.
func isFilledIn(_, v string) bool {
	return strings.TrimSpace(v) != "" && !(strings.IndexByte("$<{%*.", v[0]) >= 0 && placeholder.MatchString(v))
}

// isAuthorization tells what a header holds from a sentence.
func isAuthorization(before, v string) bool {
	before = strings.TrimRight(before, " \t\"'\\")
	return isFilledIn(before, v) && (!strings.HasSuffix(before, ":") && !strings.HasSuffix(before, "=") || isMixed(v))
}

// isToken tells a token from a word.
func isToken(before, v string) bool {
	return isFilledIn(before, v) && (len(v) >= 24 || strings.ContainsAny(v, "0123456789"))
}

// isMixedValue tells a value from a word of a sentence.
func isMixedValue(before, v string) bool { return isFilledIn(before, v) && isMixed(v) }

// isElement tells the value of an element from that of one that has a token of some language.
func isElement(before, v string) bool {
	return isFilledIn(before, v) && (!strings.HasSuffix(strings.ToLower(strings.TrimSpace(before)), "token>") || isMixed(v))
}
