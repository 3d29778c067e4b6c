package keys

import (
	"crypto/subtle"
	"reflect"
	"testing"
)

// TestEveryKeyIsCompared: how long a look-up takes does not tell where in the file a key is, or whether it is there.
func TestEveryKeyIsCompared(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/keys.json"
	first, _ := mustCreate(t, path, "acme", "shop")
	second, _ := mustCreate(t, path, "acme", "shop")
	third, _ := mustCreate(t, path, "acme", "shop")
	s := newSet(mustRead(t, path))
	if reflect.ValueOf(s.compare).Pointer() != reflect.ValueOf(subtle.ConstantTimeCompare).Pointer() {
		t.Error("hashes are not compared in constant time")
	}
	compared := 0
	s.compare = func(a, b []byte) int {
		compared++
		if len(a) != hashSize || len(b) != hashSize {
			t.Errorf("compared are %d with %d bytes", len(a), len(b))
		}
		return subtle.ConstantTimeCompare(a, b)
	}
	for i, secret := range []string{first, second, third, "rk_unknown", ""} {
		compared = 0
		if found, ok := s.find(secret); ok != (i < 3) || ok && found.ID != s.keys[i].ID {
			t.Errorf("key %d: %v %v", i, found.ID, ok)
		}
		if compared != 3 {
			t.Errorf("key %d was compared with %d of 3", i, compared)
		}
	}
}

func TestKeyByID(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/keys.json"
	_, first := mustCreate(t, path, "acme", "shop")
	_, second := mustCreate(t, path, "acme", "till")
	if _, err := Revoke(t.Context(), path, first.ID); err != nil {
		t.Fatal(err)
	}
	store, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if found, ok := store.Get(second.ID); !ok || found.ID != second.ID || found.Projects[0] != "till" {
		t.Errorf("%+v %v", found, ok)
	}
	for _, id := range []string{first.ID, "key_unknown", ""} {
		if found, ok := store.Get(id); ok {
			t.Errorf("%q: %+v", id, found)
		}
	}
}
