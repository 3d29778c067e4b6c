package redact_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk/redact"
)

func TestAPartIsCutAfterItsSecretsAreFound(t *testing.T) {
	t.Parallel()
	r := redact.Default()
	const text = "ask password: hunter2xyz and go"
	for from := range len(text) {
		for to := from; to <= len(text); to++ {
			got := r.Part(text, from, to)
			secret := from < strings.Index(text, " and") && to > strings.Index(text, "hunter") && from < to
			if strings.ContainsAny(got, "2xyzh") || strings.Contains(got, redact.Marker) != secret {
				t.Errorf("%q: %q", text[from:to], got)
			}
			if !secret && got != text[from:to] {
				t.Errorf("%q became %q", text[from:to], got)
			}
		}
	}
	if got := (*redact.Redactor)(nil).Part(text, 4, 24); got != text[4:24] {
		t.Errorf("redaction is off: %q", got)
	}
	long := strings.Repeat("word ", 1<<20)
	if got := r.Part(long+text, len(long)+20, len(long)+28); got != redact.Marker+" and" {
		t.Errorf("at the end of a long text: %q", got)
	}
}

// A private key of many lines is none of them, in pieces of one line each.
func TestAStreamOfLinesHidesAPrivateKey(t *testing.T) {
	t.Parallel()
	s := redact.Default().Stream()
	var out strings.Builder
	out.WriteString(s.Add("here:\n") + s.Add("-----BEGIN RSA PRIVATE KEY-----\n"))
	for range 200 {
		out.WriteString(s.Add(strings.Repeat("QUJDa1B2", 8) + "\n"))
	}
	out.WriteString(s.Add("-----END RSA PRIVATE KEY-----\n") + s.Add("and on\n") + s.Flush())
	if got := strings.Join(strings.Fields(out.String()), " "); got != "here: [redacted] and on" {
		t.Errorf("%q", got)
	}
}

// TestAStreamOfManyPieces: pieces that come together are given out like one text, each with its own part.
func TestAStreamOfManyPieces(t *testing.T) {
	t.Parallel()
	const m = redact.Marker
	key := secrets()["Anthropic"]
	pem := strings.SplitAfter(secrets()["private key"]+"\n", "\n")
	for name, tc := range map[string]struct {
		pieces, want []string
		rest         string
	}{
		"a token in two":     {[]string{"use " + key[:9], key[9:] + " now "}, []string{"use " + m, " now "}, ""},
		"a name and a value": {[]string{"password=", "hunter2", " ok "}, []string{"password=", m, " ok "}, ""},
		"words":              {[]string{"a", "", "b c", "d"}, []string{"a", "", "b ", ""}, "cd"},
		"lines of a key":     {append(append([]string{"here:\n"}, pem...), "and on\n"), []string{"here:\n", m, "", "", "\n", "", "and on\n"}, ""},
	} {
		s := redact.Default().Stream()
		got := s.AddAll(tc.pieces)
		if rest := s.Flush(); !slices.Equal(got, tc.want) || rest != tc.rest {
			t.Errorf("%s: %q, then %q; want %q, %q", name, got, rest, tc.want, tc.rest)
		}
	}
	if got := redact.Default().Stream().AddAll(nil); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got := (*redact.Redactor)(nil).Stream().AddAll([]string{"sk", "x"}); strings.Join(got, "|") != "sk|x" {
		t.Errorf("%q", got)
	}
}
