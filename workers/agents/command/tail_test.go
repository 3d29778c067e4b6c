package command

import "testing"

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
		if got := kept.String(); got != tc.kept || kept.cut != tc.cut {
			t.Errorf("%s: %q, cut %v", name, got, kept.cut)
		}
	}
}
