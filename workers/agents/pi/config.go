package pi

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workers/agents/command"
)

// DefaultProgram is the name pi is looked up by.
const DefaultProgram = "pi"

// Config says how pi is run.
type Config struct {
	// Program is pi: a name on PATH, or a path. Default "pi".
	Program string `env:"ROLECALL_PI_PROGRAM" envDefault:"pi" doc:"The pi coding agent: a name on PATH, or a path."`
	// Provider is the provider of the model. Default "": pi's own.
	Provider string `env:"ROLECALL_PI_PROVIDER" doc:"The provider of pi's model. Empty: pi's own default."`
	// Model is used where a task's stage names none. Default "": pi's own.
	Model string `env:"ROLECALL_PI_MODEL" doc:"The model where a task's stage names none. Empty: pi's own default."`
	// SessionDir keeps the conversations, so that an interrupted one goes on. Workers that share it can go on with each other's.
	// Default "": DataDir/pi-sessions.
	SessionDir string `env:"ROLECALL_PI_SESSION_DIR" doc:"Where pi keeps its conversations, so that a later attempt goes on with one. Empty: pi-sessions in ROLECALL_DATA_DIR."`
	// Args are further arguments, such as --no-extensions.
	Args []string
	// Leading are arguments of Program that stand before all others: for an interpreter or a wrapper.
	Leading []string
	// Command is how the process is run; Argv and Dialect are set by New. The default of EnvAllow gets PI_* added.
	Command command.Config `env:"-"`
}

// New checks the config, finds pi, and ends what earlier workers with the same data directory left. What it answers is a handler
// that runs pi once per attempt.
func New(c Config) (*command.Agent, error) {
	if c.Program == "" {
		c.Program = DefaultProgram
	}
	var faults []error
	for _, a := range c.Args {
		if name, _, _ := strings.Cut(a, "="); ownArg(name) {
			faults = append(faults, fmt.Errorf("the argument %s is the adapter's own: leave it out (model and provider are ROLECALL_PI_MODEL and ROLECALL_PI_PROVIDER)", name))
		}
	}
	if strings.HasPrefix(c.Provider, "-") {
		faults = append(faults, fmt.Errorf("ROLECALL_PI_PROVIDER: %q is no provider's name", c.Provider))
	}
	if strings.HasPrefix(c.Model, "-") || len(c.Model) > sdk.MaxModel {
		faults = append(faults, fmt.Errorf("ROLECALL_PI_MODEL must be a model's name of at most %d bytes", sdk.MaxModel))
	}
	if c.SessionDir == "" {
		c.SessionDir = filepath.Join(c.Command.DataDir, "pi-sessions")
	}
	dir, err := filepath.Abs(c.SessionDir)
	faults = append(faults, err)
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("pi agent: %w", err)
	}
	c.SessionDir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("pi agent: the directory of the conversations: %w", err)
	}
	run := c.Command
	run.Argv = append([]string{c.Program}, c.Leading...)
	if len(run.EnvAllow) == 0 {
		run.EnvAllow = append(command.DefaultEnvAllow(), "PI_*")
	}
	if run.MaxLine == 0 {
		run.MaxLine = command.DefaultMaxLine
	}
	clean, err := redact.Parse(run.Redact)
	if err != nil {
		return nil, fmt.Errorf("pi agent: ROLECALL_REDACT: %w", err)
	}
	run.Dialect = dialect{config: c, maxLine: run.MaxLine, clean: clean}
	agent, err := command.New(run)
	if err != nil {
		return nil, fmt.Errorf("pi agent: %w", err)
	}
	return agent, nil
}

// ownArg reports whether an argument is one that the adapter itself gives, or that would go against one.
func ownArg(name string) bool {
	switch name {
	case "--mode", "--print", "-p", "--session", "--session-dir", "--no-session", "--fork", "--continue", "-c", "--resume", "-r",
		"--provider", "--model":
		return true
	default:
		return false
	}
}
