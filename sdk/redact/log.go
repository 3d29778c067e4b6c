package redact

import (
	"context"
	"fmt"
	"log/slog"
)

// Logger is log with messages and values redacted; of a nil one nothing is. Errors and what has a String method are logged as their text.
func (r *Redactor) Logger(log *slog.Logger) *slog.Logger {
	if r == nil || log == nil {
		return log
	}
	return slog.New(&logHandler{next: log.Handler(), redactor: r})
}

// logHandler redacts what goes to another one.
type logHandler struct {
	next     slog.Handler
	redactor *Redactor
}

// Enabled implements [slog.Handler].
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *logHandler) Handle(ctx context.Context, line slog.Record) error {
	clean := slog.NewRecord(line.Time, line.Level, h.redactor.String(line.Message), line.PC)
	line.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

// WithAttrs implements [slog.Handler].
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.attr(a)
	}
	return &logHandler{next: h.next.WithAttrs(clean), redactor: h.redactor}
}

// WithGroup implements [slog.Handler].
func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{next: h.next.WithGroup(name), redactor: h.redactor}
}

func (h *logHandler) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, h.redactor.Value(a.Key, v.String()))
	case slog.KindGroup:
		members := make([]slog.Attr, 0, len(v.Group()))
		for _, m := range v.Group() {
			members = append(members, h.attr(m))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(members...)}
	case slog.KindAny:
		text := fmt.Sprintf("%+v", v.Any())
		if clean := h.redactor.String(text); clean != text {
			return slog.String(a.Key, clean)
		}
	default:
	}
	return slog.Attr{Key: a.Key, Value: v}
}
