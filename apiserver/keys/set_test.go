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
