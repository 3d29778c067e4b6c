package main

import (
	"io"
	"log/slog"

	"github.com/caarlos0/env/v11"
)

// logConfig is how serve and worker log.
type logConfig struct {
	// Level is the least level that is written.
	Level slog.Level `env:"ROLECALL_LOG_LEVEL" envDefault:"info" doc:"The least level that is logged: debug, info, warn or error."`
	// Format is text or json.
	Format string `env:"ROLECALL_LOG_FORMAT" envDefault:"text" doc:"text or json; the log goes to standard error."`
}

// logger makes the log that the environment describes.
func logger(to io.Writer) (*slog.Logger, error) {
	cfg, err := env.ParseAs[logConfig]()
	if err != nil {
		return nil, usagef("ROLECALL_LOG_LEVEL must be debug, info, warn or error: %w", err)
	}
	opts := &slog.HandlerOptions{Level: cfg.Level}
	switch cfg.Format {
	case "", "text":
		return slog.New(slog.NewTextHandler(to, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(to, opts)), nil
	default:
		return nil, usagef("ROLECALL_LOG_FORMAT must be text or json, not %q", cfg.Format)
	}
}
