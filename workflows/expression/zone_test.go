package expression_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
	_ "time/tzdata" // for a machine that has no table of time zones

	"github.com/rolecall-dev/rolecall/workflows/expression"
)

// zonedTimes are expressions of times whose offsets are those of Berlin, and of Kolkata.
const zonedTimes = `["${{ string(timestamp('2026-01-02T03:04:05+01:00') + duration('4800h')) }}", "${{ string(timestamp('2026-07-02T03:04:05+02:00')) }}",
	"${{ '%s'.format([timestamp('2026-01-02T03:04:05+05:30')]) }}", "${{ timestamp('2026-01-02T03:04:05+01:00') + duration('4800h') }}",
	"${{ timestamp('2026-01-02T03:04:05+01:00').getHours() }}", "${{ string(timestamp(0)) }}"]`

var zoneOffset = flag.Int("zone-offset", anyOffset, "for TestTimesKnowNoMachine: how many seconds the machine is to be east of UTC in July 2026")

const anyOffset = -1

func TestTimesAreInUTC(t *testing.T) {
	t.Parallel()
	if _, offset := time.Date(2026, 7, 2, 0, 0, 0, 0, time.Local).Zone(); *zoneOffset != anyOffset && offset != *zoneOffset {
		t.Fatalf("the machine is %d seconds east of UTC, want %d", offset, *zoneOffset)
	}
	template, faults := newEnv(t).Template("$", json.RawMessage(zonedTimes))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	out, err := template.Eval(values(), expression.NewBudget(expression.NewPurse()))
	const want = `["2026-07-21T02:04:05Z", "2026-07-02T01:04:05Z",
	"2026-01-01T21:34:05Z", "2026-07-21T02:04:05Z",
	2, "1970-01-01T00:00:00Z"]`
	if err != nil || string(out) != want {
		t.Errorf("%s %v, want %s", out, err, want)
	}
}

// TestTimesKnowNoMachine: the zone of the machine is nowhere to be seen.
func TestTimesKnowNoMachine(t *testing.T) {
	t.Parallel()
	for zone, offset := range map[string]int{"UTC": 0, "Europe/Berlin": 7200} {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTimesAreInUTC$", "-zone-offset="+strconv.Itoa(offset))
		again.Env = append(os.Environ(), "TZ="+zone)
		if said, err := again.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", zone, err, said)
		}
	}
}
