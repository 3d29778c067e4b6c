package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	keySize = 32
	// saltSize is how many random bytes choose the key of a token. With them no key seals twice in practice, however many tokens
	// there are: AES-GCM alone is good for some billions under one key.
	saltSize = 16
	// overhead is what a token has beside its content: the version, the salt, GCM's nonce and its tag.
	overhead = 1 + saltSize + 12 + 16
	// version is the first byte of a token.
	version = 1
)

// MaxPlain is the largest content of a token, in bytes.
const MaxPlain = 16 << 10

// ErrNotOurs says that a token was not sealed for this purpose with any of the keys, or was changed since.
var ErrNotOurs = errors.New("the token is not one of this server's")

// Ring is the keys. It is safe for concurrent use and does not change.
type Ring struct {
	keys [][]byte // the first seals
}

// New is a ring of one new key, which ends with the process.
func New() *Ring { return &Ring{keys: [][]byte{newKey()}} }

func newKey() []byte {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	return key
}

// Seal makes a token of at most [MaxPlain] bytes: base64url without padding. Nobody without the keys can read or change it, and
// [Ring.Open] opens it for the same purpose only. What is sealed twice gives two tokens.
func (r *Ring) Seal(purpose string, plain []byte) (string, error) {
	if len(plain) > MaxPlain {
		return "", fmt.Errorf("%d bytes are too many to seal; the most is %d", len(plain), MaxPlain)
	}
	token := make([]byte, 1+saltSize, overhead+len(plain))
	token[0] = version
	_, _ = rand.Read(token[1:]) // never fails
	aead, err := tokenAEAD(r.keys[0], token[1:], purpose)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(token, nil, plain, []byte(purpose))), nil
}

// Open answers what was sealed for the purpose, or [ErrNotOurs].
func (r *Ring) Open(purpose, token string) ([]byte, error) {
	if len(token) > base64.RawURLEncoding.EncodedLen(overhead+MaxPlain) || strings.ContainsAny(token, "\r\n") { // the decoder skips those
		return nil, ErrNotOurs
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < overhead || raw[0] != version {
		return nil, ErrNotOurs
	}
	for _, key := range r.keys {
		aead, err := tokenAEAD(key, raw[1:1+saltSize], purpose)
		if err != nil {
			return nil, err
		}
		if plain, err := aead.Open(nil, nil, raw[1+saltSize:], []byte(purpose)); err == nil {
			return plain, nil
		}
	}
	return nil, ErrNotOurs
}

// tokenAEAD seals one token, with a key that follows from the ring's, the token's salt and its purpose.
func tokenAEAD(key, salt []byte, purpose string) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, key, salt, "rolecall token "+purpose, keySize)
	if err != nil {
		return nil, fmt.Errorf("derive a token's key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("derive a token's key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
