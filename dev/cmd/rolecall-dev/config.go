package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/rolecall-dev/rolecall/apiserver"
	"github.com/rolecall-dev/rolecall/cmd/telemetry"
	"github.com/rolecall-dev/rolecall/dev/temporal"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/registry"
)

// Config says where the parts listen and keep their state. Port 0 takes a free one.
type Config struct {
	// API is the API's own configuration, ROLECALL_ADDR among it.
	API apiserver.Config
	// Events is the event log: an external NATS, or one in DataDir.
	Events eventlog.Config
	// Agents is the registry of agents, in the event log's NATS.
	Agents registry.Config
	// Shows is where metrics and traces go.
	Shows telemetry.Config
	// TemporalAddr is where Temporal's clients and workers connect; a loopback address.
	TemporalAddr string `env:"ROLECALL_DEV_TEMPORAL_ADDR" envDefault:"127.0.0.1:7233"`
	// UIAddr is where Temporal's Web UI listens; a loopback address.
	UIAddr string `env:"ROLECALL_DEV_UI_ADDR" envDefault:"127.0.0.1:8233"`
	// EventsAddr is where an event log that runs alone listens; a loopback address.
	EventsAddr string `env:"ROLECALL_DEV_EVENTS_ADDR" envDefault:"127.0.0.1:4222"`
	// DataDir holds everything that survives a restart.
	DataDir string `env:"ROLECALL_DATA_DIR" envDefault:".rolecall/data"`
	// LogLevel is debug, info, warn or error. Temporal's own log starts at warn, or at info when this is debug.
	LogLevel slog.Level `env:"ROLECALL_LOG_LEVEL" envDefault:"info"`
	// LogFormat is text or json.
	LogFormat string `env:"ROLECALL_LOG_FORMAT" envDefault:"text"`
}

// flags are what is said on the command line.
type flags struct {
	only      string
	json      bool
	readyFile string
}

const (
	onlyTemporal = "temporal"
	onlyEvents   = "events"
)

// errUsage ends the program with the code for a wrong command line; what is wrong has been printed.
var errUsage = errors.New("usage")

func parseFlags(args []string, stderr io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("rolecall-dev", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&f.only, "only", "", "run this part alone: temporal (with its Web UI) or events (the event log)")
	set.BoolVar(&f.json, "json", false, "when ready, print one line of JSON instead of a text")
	set.StringVar(&f.readyFile, "ready-file", "", "when ready, write the same JSON to this file")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return f, err
		}
		return f, errUsage
	}
	wrong := ""
	switch {
	case set.NArg() > 0:
		wrong = fmt.Sprintf("unexpected argument %q", set.Arg(0))
	case f.only != "" && f.only != onlyTemporal && f.only != onlyEvents:
		wrong = fmt.Sprintf("--only %q: the parts that run alone are %q and %q; the others are rolecall serve and rolecall worker", f.only, onlyTemporal, onlyEvents)
	}
	if wrong != "" {
		if _, err := fmt.Fprintln(stderr, "rolecall-dev:", wrong); err != nil {
			return f, err
		}
		return f, errUsage
	}
	return f, nil
}

// temporalLogLevel is the least level of Temporal's own log.
func (c Config) temporalLogLevel() slog.Level {
	if c.LogLevel < slog.LevelInfo {
		return slog.LevelInfo
	}
	return max(c.LogLevel, slog.LevelWarn)
}

func (c Config) dbFile() string { return filepath.Join(c.DataDir, "temporal.db") }

func (c Config) eventsDir() string { return filepath.Join(c.DataDir, "events") }

// explain names the variable that moves whatever was taken.
func explain(err error) error {
	variables := map[string]string{"FrontendAddr": "ROLECALL_DEV_TEMPORAL_ADDR", "UIAddr": "ROLECALL_DEV_UI_ADDR"}
	var inUse *temporal.AddressInUseError
	switch {
	case errors.As(err, &inUse) && variables[inUse.Option] != "":
		return fmt.Errorf("%w; set %s to another address, or end that program", err, variables[inUse.Option])
	case errors.Is(err, temporal.ErrFileInUse):
		return fmt.Errorf("%w; set ROLECALL_DATA_DIR to another directory, or end that program", err)
	}
	return err
}
