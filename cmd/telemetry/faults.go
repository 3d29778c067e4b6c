package telemetry

import (
	"log/slog"

	"github.com/go-logr/logr"
)

// faults takes what OpenTelemetry's SDK has to say of its configuration. It tells what was tried alone: the values, and the errors that
// repeat them, may hold a token.
type faults struct{ log *slog.Logger }

// Init is there for the interface.
func (faults) Init(logr.RuntimeInfo) {}

// Enabled reports whether a level is told: only faults are.
func (faults) Enabled(int) bool { return false }

// Info is not told.
func (faults) Info(int, string, ...any) {}

// Error warns of what could not be done.
func (f faults) Error(_ error, tried string, _ ...any) {
	f.log.Warn("tracing: OpenTelemetry's SDK does without what a variable OTEL_* says", "failed", tried)
}

// WithValues leaves the values out.
func (f faults) WithValues(...any) logr.LogSink { return f }

// WithName leaves the name out.
func (f faults) WithName(string) logr.LogSink { return f }
