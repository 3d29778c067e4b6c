package pi

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workers/agents/command"
)

// DefaultProgram is the name pi is looked up by.
const DefaultProgram = "pi"

// maxNames bounds the models, the providers and the tools of a [Config].
const maxNames = 100

// Config says how pi is run.
type Config struct {
	// Program is pi: a name on PATH, or a path. Default "pi".
	Program string `env:"ROLECALL_PI_PROGRAM" envDefault:"pi" doc:"The pi coding agent: a name on PATH, or a path."`
	// Provider is the provider of the model. Default "": pi's own.
	Provider string `env:"ROLECALL_PI_PROVIDER" doc:"The provider of pi's model. Empty: pi's own default."`
	// Model is used where a task's stage names none, or a provider alone. Default "": pi's own.
	Model string `env:"ROLECALL_PI_MODEL" doc:"pi's model where a task's stage names none, or a provider alone, such as ollama. Empty: pi's own default."`
	// Providers are names that stand for Model where a stage's model is one of them alone, as Provider does.
	Providers []string `env:"ROLECALL_PI_PROVIDERS" envDefault:"ollama" doc:"Names that, where a stage's model is one of them alone, stand for ROLECALL_PI_MODEL, comma-separated; ROLECALL_PI_PROVIDER does, too."`
	// Models are what pi calls models that stages name otherwise; they go before Providers. Default none.
	Models map[string]string `env:"ROLECALL_PI_MODELS" envKeyValSeparator:"=" doc:"What pi calls models that stages name otherwise, as name=name pairs, comma-separated: claude-sonnet-4=claude-sonnet-4-5. They go before ROLECALL_PI_PROVIDERS."`
	// Tools are the tools that pi has, beside its own, by its extensions: the prompt of a session's task names the one that is made for it, where it
	// is among them. Default none.
	Tools []string `env:"ROLECALL_PI_TOOLS" doc:"The tools that pi has by its extensions, comma-separated, such as nity_execute: where the one that is made for a session's task is among them, the prompt tells pi to use it. Empty: none."`
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
	faults = append(faults, c.checkNames())
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
