package keys

import (
	"fmt"
	"strings"
	"testing"
)

// TestFind finds each of many keys, however its hash is written.
func TestFind(t *testing.T) {
	t.Parallel()
	all := make([]Key, MaxKeys)
	for i := range all {
		hash := fmt.Sprintf("%x", hashOf(fmt.Sprint("rk_", i)))
		if i%2 == 1 {
			hash = strings.ToUpper(hash)
		}
		all[i] = Key{ID: fmt.Sprint("key_", i), Hash: hash}
	}
	s := newSet(all)
	for i := range all {
		if found, ok := s.find(fmt.Sprint("rk_", i)); !ok || found.ID != all[i].ID {
			t.Fatalf("key %d: %s %v", i, found.ID, ok)
		}
	}
	for _, unknown := range []string{"", "rk_", "rk_10000", "key_1", all[1].Hash} {
		if found, ok := s.find(unknown); ok {
			t.Errorf("%q is key %s", unknown, found.ID)
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
