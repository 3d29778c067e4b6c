//go:build linux || darwin

package command

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// pipe is a pipe whose read deadline has passed, as a worker finds it that was stopped meanwhile.
func pipe(t *testing.T, holds string) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll([]*os.File{r, w}) })
	if _, err := w.WriteString(holds); err != nil {
		t.Fatal(err)
	}
	if err := r.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	return r, w
}

func TestWhatIsInThePipeAtTheDeadlineCounts(t *testing.T) {
	t.Parallel()
	line := `{"result":{"output":"` + strings.Repeat("x", 50_000) + `"}}`
	for name, closed := range map[string]bool{"the writer is gone": true, "somebody holds it open": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w := pipe(t, line)
			if closed {
				closeAll([]*os.File{w})
			}
			var got bytes.Buffer
			done := make(chan struct{})
			go func() {
				defer close(done)
				readPipe(&got, r)
			}()
			receive(t, done, "the end of the pipe")
			if got.String() != line {
				t.Errorf("read %d bytes of %d", got.Len(), len(line))
			}
		})
	}
}
