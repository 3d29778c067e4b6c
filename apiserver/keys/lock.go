//go:build linux || darwin

package keys

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lock waits until this process alone may change the file at path: until it holds the lock file beside that, which belongs to the same
// owner. It is let go when the process ends, however that happens.
func lock(ctx context.Context, path string) (release func() error, err error) {
	if err := mayGive(path); err != nil {
		return nil, err // before there is a lock file that its owner could not open
	}
	f, err := openLock(path + ".lock")
	if err != nil {
		return nil, err
	}
	if _, err := giveTo(f, path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		}
	}
}

// openLock opens or makes a lock file. It follows no link and takes nothing but an empty file of one name: whoever may write to the
// folder could otherwise have another file given away.
func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	var is unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &is); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if is.Mode&unix.S_IFMT != unix.S_IFREG || is.Size != 0 || is.Nlink != 1 {
		return nil, errors.Join(fmt.Errorf("%s is no lock file, which is empty and has one name: remove it", path), f.Close())
	}
	return f, nil
}

// mayGive answers an error when the file at path belongs to another user than this process may give files to.
func mayGive(path string) error {
	var old unix.Stat_t
	if err := unix.Stat(path, &old); err != nil || os.Geteuid() == 0 || int(old.Uid) == os.Geteuid() {
		return nil // what is wrong with the file itself, its reader says
	}
	return notGiven(old, unix.EPERM)
}

func notGiven(old unix.Stat_t, err error) error {
	return fmt.Errorf("it belongs to user %d and group %d, which a new one could not be given (%w): do this as that user, or as root", old.Uid, old.Gid, err)
}

// giveTo gives a file the owner and group of the one at path, and answers that; nil if there is none.
func giveTo(f *os.File, path string) (*unix.Stat_t, error) {
	var old, own unix.Stat_t
	if err := unix.Stat(path, &old); errors.Is(err, unix.ENOENT) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	fd := int(f.Fd())
	if err := unix.Fstat(fd, &own); err != nil {
		return nil, err
	}
	if own.Uid != old.Uid || own.Gid != old.Gid {
		if err := unix.Fchown(fd, int(old.Uid), int(old.Gid)); err != nil {
			return nil, notGiven(old, err)
		}
	}
	return &old, nil
}

// keepOwner gives a file the owner, group and mode of the one at path, if there is one: who could read that can read this.
func keepOwner(f *os.File, path string) error {
	old, err := giveTo(f, path)
	if old == nil || err != nil {
		return err
	}
	return unix.Fchmod(int(f.Fd()), uint32(old.Mode)&0o777) //nolint:unconvert // 16 bits on macOS
}

// syncDir makes a rename in a directory last.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
