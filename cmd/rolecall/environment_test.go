package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestWrongValuesNameTheirVariable sets variables of its own process.
func TestWrongValuesNameTheirVariable(t *testing.T) {
	t.Setenv("ROLECALL_TEST_NUMBER", "many")
	t.Setenv("ROLECALL_TEST_SWITCH", "perhaps")
	t.Setenv("ROLECALL_TEST_PIN", "tk_secret")
	t.Setenv("ROLECALL_TEST_TIME", "soon")
	var first struct {
		Number int  `env:"ROLECALL_TEST_NUMBER"`
		Pin    int  `env:"ROLECALL_TEST_PIN" secret:"true"`
		Fine   bool `env:"ROLECALL_TEST_FINE"`
	}
	var second struct {
		Switch bool          `env:"ROLECALL_TEST_SWITCH"`
		Same   int           `env:"ROLECALL_TEST_NUMBER"`
		Time   time.Duration `env:"ROLECALL_TEST_TIME"`
	}
	want := &sdk.Error{Code: sdk.CodeInvalidInput, Message: "the environment is not valid", Faults: []sdk.Fault{
		{Path: "ROLECALL_TEST_NUMBER", Message: `must be a whole number, not "many"`},
		{Path: "ROLECALL_TEST_PIN", Message: "must be a whole number"},
		{Path: "ROLECALL_TEST_SWITCH", Message: `must be true or false, not "perhaps"`},
		{Path: "ROLECALL_TEST_TIME", Message: `must be a time such as 90s, 10m or 1h, not "soon"`},
	}}
	err := readEnvironment(&first, &second)
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Error(diff)
	}
	if code := codeOf(err); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
}
