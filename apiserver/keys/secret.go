package keys

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
)

// Prefix is how every key begins, so that people and secret scanners know one when they see it.
const Prefix = "rk_"

const hashSize = sha256.Size

// newSecret is a new key: the prefix and 256 random bits, which hold nothing but letters and digits.
func newSecret() string {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // never fails
	return Prefix + base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).EncodeToString(bits[:])
}

// newID names a key; it is no secret.
func newID() string {
	var bits [8]byte
	_, _ = rand.Read(bits[:]) // never fails
	return "key_" + hex.EncodeToString(bits[:])
}

// hashOf is what the file keeps of a key. One round of SHA-256 without salt is enough: slow, salted hashes make the guessing of
// passwords dear, and a key is 256 random bits, which nobody guesses and no table holds.
func hashOf(secret string) [hashSize]byte { return sha256.Sum256([]byte(secret)) }
