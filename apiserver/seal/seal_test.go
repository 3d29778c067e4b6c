package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rolecall-dev/rolecall/apiserver/seal"
)

const purpose = "attempt-key"

// key is a line of a file: 32 times one byte.
func key(b byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))
}

func ringOf(t testing.TB, lines ...string) *seal.Ring {
	t.Helper()
	r, err := seal.Read(fileOf(t, lines...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func fileOf(t testing.TB, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lease-keys")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sealed(t testing.TB, r *seal.Ring, plain string) string {
	t.Helper()
	token, err := r.Seal(purpose, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	r := seal.New()
	for _, plain := range []string{"", "x", strings.Repeat("long ", 3000)} {
		token := sealed(t, r, plain)
		got, err := r.Open(purpose, token)
		if err != nil || string(got) != plain {
			t.Errorf("%d bytes came back as %d, %v", len(plain), len(got), err)
		}
		if again := sealed(t, r, plain); again == token {
			t.Error("what is sealed twice gives one token")
		}
		if strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("a token holds more than base64url: %q", token)
		}
	}
	if token, err := r.Seal(purpose, make([]byte, seal.MaxPlain+1)); err == nil {
		t.Errorf("too much was sealed into %d characters", len(token))
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	r := ringOf(t, key(1))
	token := sealed(t, r, `{"task":"a"}`)
	refused := func(what, purpose, token string) {
		if got, err := r.Open(purpose, token); !errors.Is(err, seal.ErrNotOurs) || got != nil {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for _, bit := range []byte{1, 0x80} {
			changed := bytes.Clone(raw)
			changed[i] ^= bit
			refused("a changed byte", purpose, base64.RawURLEncoding.EncodeToString(changed))
		}
	}
	for n := range token {
		refused("a part", purpose, token[:n])
	}
	refused("more", purpose, token+"A")
	refused("padding", purpose, token+"=")
	refused("spaces", purpose, token+"\n")
	refused("much more", purpose, strings.Repeat("A", 1<<20))
	refused("another purpose", "lease", token)
	refused("no purpose", "", token)
	refused("another server's", purpose, sealed(t, seal.New(), "x"))
	if _, err := r.Open(purpose, token); err != nil {
		t.Errorf("the token itself: %v", err)
	}
}

// TestOtherSpelling: unused bits at the end of base64 would make several tokens of one.
func TestOtherSpelling(t *testing.T) {
	t.Parallel()
	r := seal.New()
	for _, plain := range []string{"", "1", "22"} {
		token := sealed(t, r, plain)
		spellings := 0
		for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
			if _, err := r.Open(purpose, token[:len(token)-1]+string(last)); err == nil {
				spellings++
			}
		}
		if spellings != 1 {
			t.Errorf("a token of %d bytes has %d spellings", len(plain), spellings)
		}
	}
}

func TestKeysAreChanged(t *testing.T) {
	t.Parallel()
	before, behind := ringOf(t, key(1)), ringOf(t, "# both", key(1), "", key(2))
	front, after := ringOf(t, key(2), key(1)+"\r"), ringOf(t, "  "+key(2)+"  ")
	opens := func(r *seal.Ring, token string) bool {
		_, err := r.Open(purpose, token)
		return err == nil
	}
	for name, tc := range map[string]struct {
		ring  *seal.Ring
		opens [4]bool // before, behind, front, after
	}{
		"the old key":                      {before, [4]bool{true, true, true, false}},
		"the old key, with the new behind": {behind, [4]bool{true, true, true, false}},
		"the new key in front":             {front, [4]bool{false, true, true, true}},
		"the new key alone":                {after, [4]bool{false, true, true, true}},
	} {
		token := sealed(t, tc.ring, name)
		for i, r := range []*seal.Ring{before, behind, front, after} {
			if got := opens(r, token); got != tc.opens[i] {
				t.Errorf("what %s sealed, ring %d opens: %v", name, i, got)
			}
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	many := make([]string, seal.MaxKeys+1)
	for i := range many {
		many[i] = key(byte(i + 1))
	}
	for name, tc := range map[string]struct {
		lines []string
		says  []string
	}{
		"empty":         {nil, []string{"no key", "/dev/urandom"}},
		"comments only": {[]string{"# " + key(1)}, []string{"no key"}},
		"no base64":     {[]string{key(1), "# fine", "swordfish!"}, []string{"line 3: must be 32"}},
		"too short":     {[]string{"c3dvcmRmaXNo", key(1)}, []string{"line 1: must be 32"}},
		"two faults":    {[]string{"x", "", "y"}, []string{"line 1:", "line 3:"}},
		"twice":         {[]string{key(1), key(2), key(1)}, []string{"line 3: the key is there twice"}},
		"zeros":         {[]string{key(0)}, []string{"line 1: the key is all zeros"}},
		"too many":      {many, []string{"at most 16"}},
		"too large":     {[]string{strings.Repeat("#", 1<<17)}, []string{"larger than"}},
	} {
		path := fileOf(t, tc.lines...)
		_, err := seal.Read(path)
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		for _, says := range append(tc.says, path, "ROLECALL_LEASE_KEYS_FILE") {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v does not say %q", name, err, says)
			}
		}
		for _, line := range tc.lines {
			if len(line) > 1 && strings.Contains(err.Error(), line) {
				t.Errorf("%s: the error repeats a line: %v", name, err)
			}
		}
	}
	if _, err := seal.Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	if _, _, err := seal.ReadOrMake(fileOf(t, "swordfish")); err == nil {
		t.Error("a file that is not valid was replaced or taken")
	}
}

func TestManyMakeOneFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(dir, "lease-keys")
	const many = 16
	rings, makers := make([]*seal.Ring, many), make([]bool, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			var err error
			if rings[i], makers[i], err = seal.ReadOrMake(path); err != nil {
				t.Errorf("server %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	made := 0
	token := sealed(t, rings[0], "x")
	for i, r := range rings {
		if makers[i] {
			made++
		}
		if _, err := r.Open(purpose, token); err != nil {
			t.Errorf("server %d has another key: %v", i, err)
		}
	}
	if made != 1 {
		t.Errorf("%d made the file", made)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
	later, again, err := seal.ReadOrMake(path)
	if err != nil || again {
		t.Fatalf("a later start made it again: %v, %v", again, err)
	}
	if _, err := later.Open(purpose, token); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

func BenchmarkOpen(b *testing.B) {
	r := ringOf(b, key(1))
	token := sealed(b, r, strings.Repeat("x", 200))
	for b.Loop() {
		if _, err := r.Open(purpose, token); err != nil {
			b.Fatal(err)
		}
	}
}
