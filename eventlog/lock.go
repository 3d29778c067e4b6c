package eventlog

import (
	"fmt"

	"github.com/gofrs/flock"
)

// lockDir takes the directory for this process alone, until unlock or the process's end: two servers that write the same files
// would spoil them.
func lockDir(path string) (unlock func() error, err error) {
	held := flock.New(path)
	ok, err := held.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the event log's directory: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("%s is held by another process that has this event log open; stop it, or give this one a ROLECALL_DATA_DIR of its own or a shared ROLECALL_NATS_URL", path)
	}
	return held.Unlock, nil
}
