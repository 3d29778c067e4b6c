package keys

import "encoding/hex"

// set is the keys of a file, by their hashes.
//
// A look-up takes a time that may depend on the hash it looks for. That tells nothing: who guesses knows the hash of each guess, and
// can not choose a guess whose hash is near one in the file.
type set struct {
	keys   []Key
	byHash map[[hashSize]byte]int // where in keys
	byID   map[string]int         // where in keys
}

// newSet takes keys that were checked.
func newSet(all []Key) *set {
	s := &set{keys: all, byHash: make(map[[hashSize]byte]int, len(all)), byID: make(map[string]int, len(all))}
	for i, k := range all {
		var sum [hashSize]byte
		_, _ = hex.Decode(sum[:], []byte(k.Hash)) // checked
		s.byHash[sum], s.byID[k.ID] = i, i
	}
	return s
}

// find answers the key that a caller sent, unless it is unknown or revoked.
func (s *set) find(secret string) (Key, bool) {
	at, ok := s.byHash[hashOf(secret)]
	if !ok || s.keys[at].Revoked() {
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
