package keys

import (
	"crypto/subtle"
	"encoding/hex"
)

// set is the keys of a file, by their hashes.
//
// A look-up by hash finds where a key would be, and takes a time that may depend on the hash: that tells nothing, for who guesses can
// not choose a guess whose hash is near one in the file. Whether it is that key is decided in constant time.
type set struct {
	keys   []Key
	hashes [][hashSize]byte       // of keys, in their order
	byHash map[[hashSize]byte]int // where in keys
	byID   map[string]int         // where in keys
}

// newSet takes keys that were checked.
func newSet(all []Key) *set {
	s := &set{keys: all, hashes: make([][hashSize]byte, len(all)), byHash: make(map[[hashSize]byte]int, len(all)), byID: make(map[string]int, len(all))}
	for i, k := range all {
		_, _ = hex.Decode(s.hashes[i][:], []byte(k.Hash)) // checked
		s.byHash[s.hashes[i]], s.byID[k.ID] = i, i
	}
	return s
}

// find answers the key that a caller sent, unless it is unknown or revoked.
func (s *set) find(secret string) (Key, bool) {
	sum := hashOf(secret)
	at, ok := s.byHash[sum]
	if !ok || subtle.ConstantTimeCompare(sum[:], s.hashes[at][:]) != 1 || s.keys[at].Revoked() {
		return Key{}, false
	}
	return s.keys[at], true
}

// get answers the key of an id, unless it is unknown or revoked.
func (s *set) get(id string) (Key, bool) {
	at, known := s.byID[id]
	if !known || s.keys[at].Revoked() {
		return Key{}, false
	}
	return s.keys[at], true
}
