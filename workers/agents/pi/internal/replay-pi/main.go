//go:build linux || darwin

// Command replay-pi stands in for the pi coding agent where a test starts it through a worker: it plays a recorded run of pi. What it
// plays is told by variables that the adapter lets through to pi.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/caarlos0/env/v11"

	"github.com/rolecall-dev/rolecall/workers/agents/pi/internal/replay"
)

// config is what is played.
type config struct {
	// Recordings are paths without their suffixes: the first attempt plays the first, and every one after the last the last.
	Recordings []string `env:"PI_REPLAY,required,notEmpty"`
	Scale      float64  `env:"PI_REPLAY_SCALE" envDefault:"0.01"` // of the recorded time
	Log        string   `env:"PI_REPLAY_LOG,required,notEmpty"`   // a folder: <attempt>.json in it is what pi was started with
	Attempt    int      `env:"ROLECALL_ATTEMPT,required"`
}

func main() {
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "replay-pi:", err)
		code = 99
	}
	os.Exit(code)
}

func run() (int, error) {
	c, err := env.ParseAs[config]()
	if err != nil {
		return 0, err
	}
	return replay.Run(replay.Options{
		Recording: c.Recordings[min(max(c.Attempt, 1), len(c.Recordings))-1], Scale: c.Scale,
		Log: filepath.Join(c.Log, strconv.Itoa(c.Attempt)+".json"), Args: os.Args[1:],
	})
}
