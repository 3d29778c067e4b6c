package main

import (
	"io"
	"log/slog"
)

// logConfig is how serve, worker and rolecall-dev log.
type logConfig struct {
	// Level is the least level that is written.
	Level slog.Level `env:"ROLECALL_LOG_LEVEL" envDefault:"info" doc:"The least level that is logged: debug, info, warn or error."`
	// Format is text or json.
	Format string `env:"ROLECALL_LOG_FORMAT" envDefault:"text" doc:"text or json; the log goes to standard error."`
}

// logger makes the log that the configuration describes.
func logger(to io.Writer, cfg logConfig) (*slog.Logger, error) {
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
