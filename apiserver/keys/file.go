package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFile bounds what is read of a file, in bytes.
const maxFile = 16 << 20

// file is a keys file: one JSON object.
type file struct {
	Keys []Key `json:"keys"`

	rest map[string]json.RawMessage
}

// UnmarshalJSON keeps what it does not know.
func (f *file) UnmarshalJSON(raw []byte) (err error) {
	type plain file
	if err := json.Unmarshal(raw, (*plain)(f)); err != nil {
		return err
	}
	f.rest, err = unknownFields[plain](raw)
	return err
}

// MarshalJSON writes what was not known back.
func (f file) MarshalJSON() ([]byte, error) {
	type plain file
	return withFields(plain(f), f.rest)
}

// Read answers the keys of a file, revoked ones too. It refuses a file that is not valid, saying where.
func Read(path string) ([]Key, error) {
	f, err := load(path)
	return f.Keys, err
}

// load reads and checks a file.
func load(path string) (f file, err error) {
	opened, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return file{}, fmt.Errorf("there is no keys file %s (ROLECALL_KEYS_FILE); make one with: rolecall keys create: %w", path, err)
	}
	if err != nil {
		return file{}, fmt.Errorf("the keys file (ROLECALL_KEYS_FILE): %w", err)
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	raw, err := io.ReadAll(io.LimitReader(opened, maxFile+1))
	if err != nil {
		return file{}, fmt.Errorf("the keys file (ROLECALL_KEYS_FILE): %w", err)
	}
	if f, err = parse(raw); err != nil {
		return file{}, fmt.Errorf("the keys file %s (ROLECALL_KEYS_FILE) is not valid: %w", path, err)
	}
	return f, nil
}

func parse(raw []byte) (file, error) {
	if len(raw) > maxFile {
		return file{}, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		return file{}, err
	}
	if f.Keys == nil {
		return file{}, errors.New(`it must be an object with "keys", a list`)
	}
	return f, f.check()
}

// check names every fault of a file. Revoked keys count: what is in a project stays its organization's.
func (f file) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(f.Keys) > MaxKeys {
		return fmt.Errorf("it has more than %d keys", MaxKeys)
	}
	ids, hashes, owners := map[string]bool{}, map[string]bool{}, map[string]string{}
	for i, k := range f.Keys {
		if text := k.fault(); text != "" {
			fault("keys[%d]: %s", i, text)
			continue
		}
		hash := strings.ToLower(k.Hash)
		if ids[k.ID] || hashes[hash] {
			fault("keys[%d]: %s, or its hash, is there twice", i, k.ID)
		}
		ids[k.ID], hashes[hash] = true, true
		for _, p := range k.Projects {
			if owner, known := owners[p]; known && owner != k.Organization {
				fault("keys[%d]: project %s belongs to organization %s and can not belong to %s too; give one of them another name", i, p, owner, k.Organization)
				continue
			}
			owners[p] = k.Organization
		}
	}
	return errors.Join(faults...)
}

// ErrMayNotLast says that the file was changed, and that the change may not outlast a loss of power.
var ErrMayNotLast = errors.New("the keys file is changed, and the change may be lost when this machine loses power now: look with rolecall keys list")

// save puts a file in the place of the one there was, whole or not at all, with the same owner, group and mode; a new one is readable
// for its owner only. syncDir makes what is in a folder last; when it can not, the error is an [ErrMayNotLast].
func (f file) save(path string, syncDir func(dir string) error) error {
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := json.Indent(&text, raw, "", "  "); err != nil {
		return err
	}
	text.WriteByte('\n')
	if text.Len() > maxFile {
		return fmt.Errorf("the keys file would be larger than %d bytes; take revoked keys of projects you do not use out of it", maxFile)
	}
	if err := replace(path, text.Bytes()); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%w: %w", ErrMayNotLast, err)
	}
	return nil
}

// replace writes a file beside the one of the path and renames it.
func replace(path string, text []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	kept := keepOwner(temp, path)
	_, written := temp.Write(text)
	if err := errors.Join(kept, written, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
