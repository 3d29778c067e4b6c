package workflows

import (
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestFailuresOfTheSameKindHaveOneFingerprint(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"took 42 s", "took 7 s", "took 1.5s", "took 3m20s"},
		{"exit status 1", "exit status 127"},
		{"no such file: /home/a/x.go", "no such file: /tmp/y/z/w.go", "no such file: ./b.go"},
		{`can not open "a b.txt"`, `can not open "c.txt"`},
		{"user 'x' is not known", "user 'somebody else' is not known"},
		{"task 0190c1d2-7b1c-7000-8000-0123456789ab is gone", "task 1190c1d2-8b1c-7000-8000-0123456789ab is gone"},
		{"commit 4f3c2a19 does not build", "commit a0b1c2d3 does not build"},
		{"at 0xc000123456", "at 0x12"},
		{"GET https://a.example/v1/x?y=1 answered 503", "GET http://b.example:8080/z answered 502"},
		{"line 3,  column 4", "line 10, column\t12"},
		{"listening on 127.0.0.1:3009", "listening on 10.1.2.3:80"},
		{"Rate limited", "rate limited"},
	} {
		want := Fingerprint("agent_failed", "coder", same[0])
		if len(want) != 16 || strings.Trim(want, "0123456789abcdef") != "" {
			t.Errorf("%q is no fingerprint", want)
		}
		for _, message := range same[1:] {
			if got := Fingerprint("agent_failed", "coder", message); got != want {
				t.Errorf("%q is %q, %q is %q", same[0], normalised(same[0]), message, normalised(message))
			}
		}
	}
}

func TestFailuresOfOtherKindsHaveOthers(t *testing.T) {
	t.Parallel()
	type failure struct {
		code    sdk.Code
		role    sdk.Role
		message string
	}
	seen := map[string]failure{}
	for _, f := range []failure{
		{"agent_failed", "coder", "exit status 1"},
		{"agent_failed", "tester", "exit status 1"},
		{"agent_panicked", "coder", "exit status 1"},
		{"agent_failed", "coder", "exit status of the child 1"},
		{"agent_failed", "coder", "can't reach the host, don't know why"},
		{"agent_failed", "coder", "can't reach the model, don't know why"},
		{"agent_failed", "coder", "the face is bad"},
		{"agent_failed", "coder", "the feed is bad"},
		{"agent_failed", "coder", ""},
		{"agent_failed", "coderagent", "x"},
	} {
		got := Fingerprint(f.code, f.role, f.message)
		if other, taken := seen[got]; taken {
			t.Errorf("%+v and %+v have the same", f, other)
		}
		seen[got] = f
	}
}

// FuzzFingerprint holds that other digits are the same failure, and that what is hashed stays small.
func FuzzFingerprint(f *testing.F) {
	for _, s := range []string{"took 42 s", "a1 b2", "0x12 'q' \"5\"", "/a/1 and C:\\x\\2", "1.2.3,4", "12ms34", "can't 5'6"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message string) {
		changed := []byte(message)
		for i, b := range changed {
			if b >= '1' && b <= '8' {
				changed[i]++
			}
		}
		other := string(changed)
		if normalised(message) != normalised(other) {
			t.Errorf("%q is %q, and %q is %q", message, normalised(message), other, normalised(other))
		}
		once := normalised(message)
		if len(once) > 4*len(message)+8 {
			t.Errorf("%d bytes became %d", len(message), len(once))
		}
	})
}
