package command

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// The bounds of a [Config] and its defaults.
const (
	DefaultGrace   = 5 * time.Second
	DefaultMaxLine = 2 << 20
	MinMaxLine     = 1 << 10
	DefaultMaxLog  = 8 << 10
)

// Config says which program to run and within what bounds. Argv, DataDir and WorkerID are required.
type Config struct {
	// Argv is the program and its arguments. A name without a slash is looked up on PATH; a relative path counts from the
	// worker's directory, then from Workdir.
	Argv []string
	// Workdir is the directory the program runs in, locked for one attempt at a time. Default "": a fresh private directory
	// per attempt, removed afterwards.
	Workdir string `env:"ROLECALL_AGENT_WORKDIR" doc:"Directory the agent's program runs in, locked for one attempt at a time; --workdir wins. Empty: a fresh one per attempt."`
	// DataDir holds the records of running attempts and the private directories, under agents/<WorkerID>.
	DataDir string `env:"ROLECALL_DATA_DIR" envDefault:".rolecall/data" doc:"Directory for what outlives the process: the records of a worker's running attempts, the sealing keys of an API process that is given none."`
	// WorkerID is the agent's id. Whatever a worker may leave, the next one with the same DataDir on this machine ends.
	WorkerID string `env:"AGENT_ID" doc:"The id this agent works as."`
	// EnvAllow names the environment variables the program may see; NAME_* allows all that begin so.
	// Default: PATH HOME LANG LC_* TZ TMPDIR USER SHELL TERM SSL_CERT_FILE SSL_CERT_DIR.
	EnvAllow []string `env:"ROLECALL_AGENT_ENV" doc:"Variables the agent's program may see, comma-separated; NAME_* allows all that begin so. Empty: PATH HOME LANG LC_* TZ TMPDIR USER SHELL TERM SSL_CERT_FILE SSL_CERT_DIR, and for pi PI_*."`
	// Environ is the environment EnvAllow chooses from, as NAME=value. Default nil: the worker's own.
	Environ []string
	// Grace is the time between SIGTERM and SIGKILL. Default 5 s.
	Grace time.Duration `env:"ROLECALL_AGENT_GRACE" envDefault:"5s" doc:"Time between SIGTERM and SIGKILL for the agent's program."`
	// MaxLine is the longest line of stdout in bytes that can be a message. Default 2 MiB, least 1 KiB.
	MaxLine int `env:"ROLECALL_AGENT_MAX_LINE" envDefault:"2097152" doc:"Longest line of the program's standard output, in bytes, that can be a message; at least 1024."`
	// MaxLog is how many bytes of the end of stderr, and of stdout's log, are kept for a failure. Default and most 8 KiB.
	MaxLog int `env:"ROLECALL_AGENT_MAX_LOG" envDefault:"8192" doc:"How many bytes of the end of the program's log are kept for a failure; at most 8192."`
	// APIKey is the worker's own key of the API at ServiceURL, with the scope work. It mints a key for every attempt, which is handed to
	// the program as EVENTS_API_KEY; itself it never gets there, whatever EnvAllow says. Default "": programs get no key.
	APIKey string `env:"EVENTS_API_KEY" secret:"true" json:"-" doc:"The API key; none where the service has no keys. A worker's has the scope work, and mints a key for each attempt of its agent's program."`
	// ServiceURL is handed to the program as EVENTS_SERVICE_URL. Default "": not set.
	ServiceURL string `env:"EVENTS_SERVICE_URL" doc:"The rolecall API, handed on to the agent's program."`
	// Project is handed to the program as ROLECALL_PROJECT.
	Project string `env:"PROJECT_ID" doc:"The project whose tasks are worked on, handed on to the agent's program as ROLECALL_PROJECT."`
	// Redact says what secrets look like that are taken out of what is kept of the program's log, as [redact.Parse] reads it. That goes
	// before it is cut to length.
	Redact string `env:"ROLECALL_REDACT" secret:"true" json:"-" doc:"What is taken out of prompts, progress, errors, live output, events and logs before they are stored. Empty: the common formats of keys and passwords. off: nothing. Else regular expressions beside those, separated by newlines or ;;."`
	// Dialect is how the program is spoken to. Default nil: the JSON lines of this package's documentation.
	Dialect Dialect
	// Logger gets what happens to processes, never what they say. Default nil: nothing is logged.
	Logger *slog.Logger

	clean *redact.Redactor // as Redact says
}

var allowPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\*?$`)

// DefaultEnvAllow is the default of [Config.EnvAllow].
func DefaultEnvAllow() []string {
	return []string{"PATH", "HOME", "LANG", "LC_*", "TZ", "TMPDIR", "USER", "SHELL", "TERM", "SSL_CERT_FILE", "SSL_CERT_DIR"}
}

// withDefaults answers the config with its defaults filled in, or every fault of it at once.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		fault("no program: give its path and arguments after --")
	}
	if c.DataDir == "" {
		fault("no data directory: set ROLECALL_DATA_DIR")
	}
	if !sdk.ValidID(c.WorkerID) {
		fault("the worker id %q must start with a letter or digit and hold at most 128 of A-Z, a-z, 0-9, _ and -", c.WorkerID)
	}
	for _, p := range c.EnvAllow {
		if !allowPattern.MatchString(p) {
			fault("ROLECALL_AGENT_ENV: %q is neither a variable's name nor a NAME_* pattern", p)
		}
	}
	if len(c.EnvAllow) == 0 {
		c.EnvAllow = DefaultEnvAllow()
	}
	c.Grace = orDefault(c.Grace, DefaultGrace)
	c.MaxLine = orDefault(c.MaxLine, DefaultMaxLine)
	c.MaxLog = orDefault(c.MaxLog, DefaultMaxLog)
	if c.Grace < 0 {
		fault("the grace %s must not be negative", c.Grace)
	}
	if c.MaxLine < MinMaxLine {
		fault("the longest line must be at least %d bytes, not %d", MinMaxLine, c.MaxLine)
	}
	if c.MaxLog < 0 || c.MaxLog > DefaultMaxLog {
		fault("the kept log must be from 1 to %d bytes, not %d", DefaultMaxLog, c.MaxLog)
	}
	var err error
	if c.clean, err = redact.Parse(c.Redact); err != nil {
		fault("ROLECALL_REDACT: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Dialect == nil {
		c.Dialect = jsonLines{maxLine: c.MaxLine, maxLog: c.MaxLog, clean: c.clean, log: c.Logger}
	}
	if err = errors.Join(faults...); err != nil {
		return c, fmt.Errorf("command agent: %w", err)
	}
	return c, nil
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
