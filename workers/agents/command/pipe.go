//go:build linux || darwin

package command

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxRest bounds what is read of a pipe after its deadline: no pipe holds more, unless the machine's limit was raised. Who writes
// more must be a process that got away.
const maxRest = 1 << 20

// readPipe copies what comes out of a pipe until its end or its read deadline. What is in the pipe at the deadline counts, too: this
// process may have been stopped meanwhile.
func readPipe(to io.Writer, pipe *os.File) {
	if _, err := io.Copy(to, pipe); errors.Is(err, os.ErrDeadlineExceeded) {
		_, _ = io.Copy(to, io.LimitReader(contents{pipe}, maxRest)) // what was read is what counts
	}
}

// contents reads what a pipe holds, and ends where it would have to wait.
type contents struct{ pipe *os.File }

func (c contents) Read(p []byte) (n int, err error) {
	if err := c.pipe.SetReadDeadline(time.Time{}); err != nil { // none may be read after it
		return 0, err
	}
	raw, err := c.pipe.SyscallConn()
	if err != nil {
		return 0, err
	}
	var fault error
	err = raw.Read(func(fd uintptr) bool {
		for {
			if n, fault = unix.Read(int(fd), p); !errors.Is(fault, unix.EINTR) {
				return true
			}
		}
	})
	if n <= 0 || err != nil || fault != nil {
		return 0, io.EOF
	}
	return n, nil
}
