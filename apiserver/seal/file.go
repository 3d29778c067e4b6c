package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// MaxKeys is how many keys a file may have: every token that is not ours is tried with each.
	MaxKeys = 16
	// maxFile bounds what is read of a file, in bytes.
	maxFile = 64 << 10
)

// Read answers the keys of a file. One that is not valid is refused, with the number of each line that is wrong and nothing of what
// stands there; so is one that every user of the machine can write.
func Read(path string) (r *Ring, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the sealing keys (ROLECALL_LEASE_KEYS_FILE): %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("the sealing keys in %s (ROLECALL_LEASE_KEYS_FILE) can be changed by every user of this machine: "+
			"take that away with chmod o= and make new keys", path)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("the sealing keys (ROLECALL_LEASE_KEYS_FILE): %w", err)
	}
	keys, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("the sealing keys in %s (ROLECALL_LEASE_KEYS_FILE) are not valid: %w", path, err)
	}
	return &Ring{keys: keys}, nil
}

func parse(raw []byte) ([][]byte, error) {
	if len(raw) > maxFile {
		return nil, fmt.Errorf("the file is larger than %d bytes", maxFile)
	}
	var keys [][]byte
	var faults []error
	number := 0
	for line := range bytes.Lines(raw) {
		number++
		text := bytes.TrimSpace(line)
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		key := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
		n, err := base64.StdEncoding.Strict().Decode(key, text)
		switch {
		case err != nil || n != keySize:
			faults = append(faults, fmt.Errorf("line %d: must be %d random bytes in base64, as head -c %d /dev/urandom | base64 prints them", number, keySize, keySize))
		case holds(keys, key[:n]):
			faults = append(faults, fmt.Errorf("line %d: the key is there twice", number))
		case bytes.Equal(key[:n], make([]byte, keySize)):
			faults = append(faults, fmt.Errorf("line %d: the key is all zeros, which anybody can guess", number))
		default:
			keys = append(keys, key[:n])
		}
	}
	switch {
	case len(faults) > 0:
		return nil, errors.Join(faults...)
	case len(keys) == 0:
		return nil, errors.New("there is no key in it; make one with: (umask 077; head -c 32 /dev/urandom | base64 > the-file)")
	case len(keys) > MaxKeys:
		return nil, fmt.Errorf("there are %d keys, and at most %d may be", len(keys), MaxKeys)
	}
	return keys, nil
}

func holds(keys [][]byte, key []byte) bool {
	for _, k := range keys {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
}

// ReadOrMake answers the keys of a file, which it makes with one new key where there is none; made tells that it did. The file is
// readable for its owner only. Of several processes that start at once one makes it, and all of them read the same.
func ReadOrMake(path string) (r *Ring, made bool, err error) {
	if r, err = Read(path); !errors.Is(err, fs.ErrNotExist) {
		return r, false, err
	}
	if made, err = create(path); err != nil {
		return nil, false, fmt.Errorf("make the sealing keys; ROLECALL_LEASE_KEYS_FILE names a file of your own: %w", err)
	}
	r, err = Read(path)
	return r, made, err
}

// create makes the file with a new key, whole or not at all; made is false when another process was first.
func create(path string) (made bool, err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	temp, err := os.CreateTemp(dir, ".lease-keys-*") // 0600
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.Remove(temp.Name())) }()
	_, written := fmt.Fprintf(temp, "# Seals what this server hands out. The first key seals, all of them open.\n%s\n",
		base64.StdEncoding.EncodeToString(newKey()))
	if err := errors.Join(written, temp.Sync(), temp.Close()); err != nil {
		return false, err
	}
	err = os.Link(temp.Name(), path) // unlike a rename, it takes nobody's place
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}
