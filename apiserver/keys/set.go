package keys

import (
	"crypto/subtle"
	"encoding/hex"
)

// set is the keys of a file, ready to be compared.
type set struct {
	keys    []Key
	hashes  [][hashSize]byte
	at      map[string]int        // in keys, by id
	compare func(a, b []byte) int // 1 when equal, in a time that does not depend on what they hold
}

// newSet takes keys that were checked.
func newSet(all []Key) *set {
	s := &set{keys: all, hashes: make([][hashSize]byte, len(all)), at: make(map[string]int, len(all)), compare: subtle.ConstantTimeCompare}
	for i, k := range all {
		s.at[k.ID] = i
		_, _ = hex.Decode(s.hashes[i][:], []byte(k.Hash)) // checked
	}
	return s
}

// find answers the key that a caller sent, unless it is unknown or revoked. It compares with every key, found or not, so that the
// time it takes tells nothing of the hashes.
func (s *set) find(secret string) (Key, bool) {
	sum := hashOf(secret)
	at := -1
	for i := range s.hashes {
		at = subtle.ConstantTimeSelect(s.compare(sum[:], s.hashes[i][:]), i, at)
	}
	if at < 0 || s.keys[at].Revoked() {
		return Key{}, false
	}
	return s.keys[at], true
}

// get answers the key of an id, unless it is unknown or revoked.
func (s *set) get(id string) (Key, bool) {
	at, known := s.at[id]
	if !known || s.keys[at].Revoked() {
		return Key{}, false
	}
	return s.keys[at], true
}
