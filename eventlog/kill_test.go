package eventlog

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// acknowledged is how the process that is killed says which event was.
const acknowledged = "acknowledged "

func TestWhatIsAcknowledgedOutlivesAKilledProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessThatIsKilled$", dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), acknowledged); ok {
			said = append(said, id)
		}
		if len(said) == 50 {
			_ = child.Process.Kill() // what it said before is read to its end
		}
	}
	if err := child.Wait(); err == nil || len(said) < 50 {
		t.Fatalf("%d events were acknowledged, then: %v", len(said), err)
	}
	kept := ids(t, open(t, Config{Dir: dir}), "p", Query{Limit: 100})
	for _, id := range said {
		if !slices.Contains(kept, id) {
			t.Errorf("event %s was acknowledged and is not kept", id)
		}
	}
}

// TestProcessThatIsKilled appends to the log in the directory that it is given, until it is killed.
func TestProcessThatIsKilled(t *testing.T) {
	dir := flag.Arg(0)
	if dir == "" {
		t.Skip("it is a part of TestWhatIsAcknowledgedOutlivesAKilledProcess")
	}
	l := open(t, Config{Dir: dir})
	for i := 0; ; i++ {
		acks, err := l.Append(bounded(t), "p", []sdk.Event{anEvent(fmt.Sprint(i), "x.y")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintln(os.Stdout, acknowledged+acks[0].ID); err != nil {
			t.Fatal(err)
		}
	}
}
