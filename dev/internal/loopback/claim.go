package loopback

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// claims are the locks of the ports that this process has chosen.
//
//nolint:gochecknoglobals // they are the process's: the kernel lets them go when it ends, however that happens
var claims struct {
	sync.Mutex
	held []*os.File
}

// claimDir is where the ports are locked that this user's processes have chosen. Each user has a directory: what one makes, another may
// not be able to open, whatever its mode (fs.protected_regular).
func claimDir() string {
	return filepath.Join(os.TempDir(), "rolecall-ports-"+strconv.Itoa(os.Getuid()))
}

// claim takes a port for this process until it ends; ok is false when some process has it, or when it cannot be told.
func claim(dir, port string) (ok bool, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return false, fmt.Errorf("choose a port: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, port), os.O_CREATE|os.O_RDONLY, 0o600)
	if errors.Is(err, os.ErrPermission) {
		return false, nil // somebody else's
	}
	if err != nil {
		return false, fmt.Errorf("choose a port: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return false, f.Close() // somebody has it
	}
	claims.Lock()
	defer claims.Unlock()
	claims.held = append(claims.held, f)
	return true, nil
}
