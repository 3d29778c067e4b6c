package redact_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk/redact"
)

func TestALogIsRedactedWhereverASecretStands(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log := redact.Default().Logger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})))
	key := secrets()["OpenAI"]
	log.With("with", key).WithGroup("g").Info("said "+key, "text", key, "password", "hunter2", "error", errors.New("no "+key), slog.Group("in", "x", key),
		"any", struct{ A, B string }{"a", key}, "n", 17)
	log.Debug("not written")
	got := out.String()
	if strings.Contains(got, key) || strings.Contains(got, "hunter2") || strings.Count(got, redact.Marker) != 7 || !strings.Contains(got, "g.n=17") || strings.Contains(got, "not written") {
		t.Errorf("%s", got)
	}
	plain := slog.New(slog.DiscardHandler)
	if (*redact.Redactor)(nil).Logger(plain) != plain {
		t.Error("a log is wrapped although redaction is off")
	}
}
