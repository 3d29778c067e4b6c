package main

import (
	"io"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// A control worker alone does not know whether its API has keys.
func TestWhatIsCapturedWhereNothingIsSaid(t *testing.T) {
	t.Setenv("ROLECALL_NATS_URL", "nats://127.0.0.1:1")
	for _, name := range []string{"ROLECALL_KEYS_FILE", "ROLECALL_REDACT"} {
		t.Setenv(name, "")
	}
	for _, tc := range []struct {
		api, control bool
		capture      string
		want         redact.Capture
	}{
		{true, true, "", redact.CaptureFull},
		{true, false, "", redact.CaptureFull},
		{false, true, "", redact.CaptureMetadata},
		{false, true, "full", redact.CaptureFull},
	} {
		t.Setenv("ROLECALL_CAPTURE", tc.capture)
		s, err := newServe(&console{stdout: io.Discard, stderr: io.Discard}, tc.api, tc.control, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.controlConfig.Redaction.Capture; got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
}
