package loopback

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// claim takes a port for this process until it ends; ok is false when some process has it.
func claim(port string) (ok bool, err error) {
	dir := filepath.Join(os.TempDir(), "rolecall-ports")
	if err := os.Mkdir(dir, 0o777); err == nil {
		err = os.Chmod(dir, 0o777|os.ModeSticky) // whatever the umask: every user's processes choose from the same ports
		if err != nil {
			return false, fmt.Errorf("share %s: %w", dir, err)
		}
	} else if !errors.Is(err, os.ErrExist) {
		return false, fmt.Errorf("choose a port: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, port), os.O_CREATE|os.O_RDONLY, 0o644)
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
