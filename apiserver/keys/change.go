package keys

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Request is what a new key is to be.
type Request struct {
	Name         string
	Organization string
	Projects     []string
	Scopes       []Scope // nil is [DefaultScopes]; none, or one twice, is refused
}

// Create adds a key to the file, which it makes where there is none, and answers the key itself: it is kept nowhere. A request that
// is not valid is an [sdk.Error] of code invalid_input. With an error that is [ErrMayNotLast] the key is in the file and is answered
// all the same. ctx bounds the wait for the file's lock.
func Create(ctx context.Context, path string, r Request) (secret string, made Key, err error) {
	if r.Scopes == nil {
		r.Scopes = DefaultScopes()
	}
	if len(r.Scopes) == 0 {
		return "", Key{}, sdk.Errorf(sdk.CodeInvalidInput, "scopes names none; there are %v", Scopes())
	}
	for i, s := range r.Scopes {
		if !slices.Contains(Scopes(), s) {
			return "", Key{}, sdk.Errorf(sdk.CodeInvalidInput, "%q is no scope; there are %v", s, Scopes())
		}
		if slices.Contains(r.Scopes[:i], s) {
			return "", Key{}, sdk.Errorf(sdk.CodeInvalidInput, "scope %s is named twice", s)
		}
	}
	secret = newSecret()
	sum := hashOf(secret)
	made = Key{
		ID: newID(), Name: r.Name, Organization: r.Organization, Projects: r.Projects, Scopes: r.Scopes,
		Hash: hex.EncodeToString(sum[:]), CreatedAt: time.Now().UTC().Truncate(time.Second),
	}
	if text := made.fault(); text != "" {
		return "", Key{}, sdk.Errorf(sdk.CodeInvalidInput, "%s", text)
	}
	err = change(ctx, path, func(f *file) error {
		f.Keys = append(f.Keys, made)
		return f.check()
	})
	if err != nil && !errors.Is(err, ErrMayNotLast) {
		return "", Key{}, err
	}
	return secret, made, err
}

// ErrNoKey says that a file has no key of an id.
var ErrNoKey = errors.New("there is no key of this id; rolecall keys list shows them")

// Revoke ends a key. One that is revoked stays as it is. With an error that is [ErrMayNotLast] the key is revoked and is answered all
// the same.
func Revoke(ctx context.Context, path, id string) (revoked Key, err error) {
	if _, err := Read(path); err != nil {
		return Key{}, err
	}
	err = change(ctx, path, func(f *file) error {
		i := slices.IndexFunc(f.Keys, func(k Key) bool { return k.ID == id })
		if i < 0 {
			return ErrNoKey
		}
		if !f.Keys[i].Revoked() {
			f.Keys[i].RevokedAt = new(time.Now().UTC().Truncate(time.Second))
		}
		revoked = f.Keys[i]
		return nil
	})
	return revoked, err
}

// change reads, changes and writes the file while no other process does.
func change(ctx context.Context, path string, how func(*file) error) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays one
	}
	release, err := lock(ctx, path)
	if err != nil {
		return fmt.Errorf("lock the keys file (ROLECALL_KEYS_FILE): %w", err)
	}
	defer func() {
		if released := release(); released != nil && err == nil {
			err = fmt.Errorf("%w: its lock: %w", ErrMayNotLast, released)
		}
	}()
	f, err := load(path)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = file{Keys: []Key{}}, nil
	}
	if err != nil {
		return err
	}
	if err := how(&f); err != nil {
		return err
	}
	if err := f.save(path, syncDir); err != nil {
		return fmt.Errorf("write the keys file (ROLECALL_KEYS_FILE): %w", err)
	}
	return nil
}
