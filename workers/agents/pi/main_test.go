//go:build linux || darwin

package pi

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/rolecall-dev/rolecall/workers/agents/pi/internal/replay"
)

// The test binary is also the pi of these tests: as "<binary> as-pi <recording> <scale> <log> arguments…".
func TestMain(m *testing.M) {
	if len(os.Args) > 4 && os.Args[1] == "as-pi" {
		code, err := play(os.Args[2], os.Args[3], os.Args[4], os.Args[5:])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 99
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func play(recording, scale, log string, args []string) (int, error) {
	s, err := strconv.ParseFloat(scale, 64)
	if err != nil {
		return 0, err
	}
	return replay.Run(replay.Options{Recording: recording, Scale: s, Log: log, Args: args})
}
