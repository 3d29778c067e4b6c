//go:build linux || darwin

package command

import (
	"errors"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Wherever the log is cut, no part of a secret is left of it.
func TestASecretInALogIsKeptNowhere(t *testing.T) {
	t.Parallel()
	secret := "sk-" + "ant-" + strings.Repeat("a1B2", 10)
	for name, script := range map[string]string{
		"stderr":                  `echo "using $1" >&2; exit 3`,
		"stderr, at its cut":      `echo "using $1" >&2; head -c 990 /dev/zero | tr '\0' '\n' >&2; exit 3`,
		"stderr, its only line":   `echo "$1 $1 $1 $1 $1 $1 $1 $1 $1 $1 $1 $1 $1 $1 $1 $1 $1 end" >&2; exit 3`,
		"stdout":                  `echo "using $1"; exit 3`,
		"stderr after a failure":  `echo "password=$1" >&2; echo '{"error":{"code":"broken","message":"it broke"}}'; exit 1`,
		"the last line of stderr": `echo "Authorization: Bearer $1" >&2; exit 3`,
	} {
		cfg := config(t, shell(script, secret)...)
		cfg.MaxLog = 1000
		_, _, err := handle(t, cfg)
		var fail *sdk.AgentError
		if !errors.As(err, &fail) {
			t.Fatalf("%s: %v", name, err)
		}
		if said := fail.Message + string(fail.Details); strings.Contains(said, "a1B2a1B2") || len(fail.Details) == 0 {
			t.Errorf("%s: %s", name, said)
		}
	}
	cfg := config(t, "/bin/sh")
	cfg.Redact = "hunter2("
	if _, err := New(cfg); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "ROLECALL_REDACT: pattern 1") {
		t.Errorf("%v", err)
	}
}
