package apiserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/google/uuid"
)

// creation is what a request creates that may have an idempotency key.
type creation[T any] struct {
	key    string                 // "" is none
	digest func() (string, error) // of the request as it was sent
	// start creates it. An id that is taken answers what has it as replayed where the digest is the same; without a key that is empty.
	start func(id, digest string) (made T, replayed bool, err error)
}

// create creates something in the caller's project, which comes into being with it.
func create[T any](ctx context.Context, s *Server, c creation[T]) (made T, replayed bool, err error) {
	who := callerOf(ctx)
	id, digest, err := identity(who.project, c.key, c.digest)
	if err != nil {
		return made, false, err
	}
	entry, fault := s.projects.enter(who)
	if fault != nil {
		return made, false, fault
	}
	defer entry.leave()
	made, replayed, err = c.start(id, digest)
	entry.created = err == nil
	return made, replayed, err
}

// identity is the id of something new, and the digest of what asks for it: with a key both follow from the request, without one the id is
// new and the digest empty.
func identity(project, key string, digestOf func() (string, error)) (id, digest string, err error) {
	if key == "" {
		fresh, err := uuid.NewV7()
		return fresh.String(), "", err
	}
	digest, err = digestOf()
	return keyedID(project, key), digest, err
}

// keyedID is the id of what is created with an idempotency key.
func keyedID(project, key string) string {
	sum := sha256.Sum256([]byte(project + "\x00" + key))
	return "k" + hex.EncodeToString(sum[:20])
}

// digestOf is the digest of a request, by which the same one is known again.
func digestOf(request any) (string, error) {
	body, err := canonicalJSON(request)
	if err != nil {
		return "", err
	}
	return sumOf(body), nil
}

func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
