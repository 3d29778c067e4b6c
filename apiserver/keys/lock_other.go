//go:build !linux && !darwin

package keys

import (
	"context"
	"errors"
	"os"
)

// lock refuses: keys are made where the file can be locked, and the file can be read anywhere.
func lock(context.Context, string) (release func() error, err error) {
	return nil, errors.New("keys can be made and revoked on Linux and macOS only")
}

func syncDir(string) error { return nil }

func keepOwner(*os.File, string) error { return nil }
