package command

import (
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk/redact"
)

func TestTailTellsWhatItDrops(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		writes []string
		kept   string
		cut    bool
	}{
		"nothing":        {nil, "", false},
		"all":            {[]string{"abc", "d"}, "abcd", false},
		"too much":       {[]string{"abc", "de"}, "bcde", true},
		"much at once":   {[]string{"abcde"}, "bcde", true},
		"then no more":   {[]string{"abcde", "", "f"}, "cdef", true},
		"a word cut off": {[]string{"ab cd"}, "cd", true},
		"piece by piece": {[]string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}, "fghi", true},
	} {
		kept := tail{max: 4}
		for _, w := range tc.writes {
			if n, err := kept.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("%s: %d, %v", name, n, err)
			}
		}
		if got := kept.redacted(nil); got != tc.kept || kept.cut != tc.cut {
			t.Errorf("%s: %q, cut %v", name, got, kept.cut)
		}
	}
}

// The name of a secret tells its value, so that a cut between the two must not come first.
func TestATailSaysNothingOfASecretWhereverItIsCut(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("MIIEowAbCdEfq1w2e3r4\n", 200)
	for _, secret := range []string{
		"password: hunter2xyz\n", "Authorization: Basic dXNlcjpwYXNzd29yZA==\n", "DB_PASSWORD = \"correct horse hunter2xyz\"\n",
		"-----BEGIN PRIVATE KEY-----\n" + body + "-----END PRIVATE KEY-----\n", "api_key='x y hunter2xyz'\n",
	} {
		for limit := 20; limit < 200; limit++ {
			kept := tail{max: limit}
			for _, said := range []string{strings.Repeat("log ", 10_000), secret, strings.Repeat("w ", 30)} {
				if _, err := kept.Write([]byte(said)); err != nil {
					t.Fatal(err)
				}
			}
			got := kept.redacted(redact.Default())
			if len(got) > limit || !strings.HasSuffix(got, "w w ") {
				t.Errorf("%d bytes of %d: %q", len(got), limit, got)
			}
			for _, part := range []string{"hunter2xyz", "dXNlcjpwYXNzd29yZA", "MIIE", "q1w2e3r4", "horse"} {
				if strings.Contains(got, part) {
					t.Errorf("the last %d bytes: %q", limit, got)
				}
			}
		}
	}
}
