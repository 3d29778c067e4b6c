package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev"
)

// TestRolecallEnvSaysWhatIsRead compares what this program reads with what rolecall env, of another module, says that it reads.
func TestRolecallEnvSaysWhatIsRead(t *testing.T) {
	t.Parallel()
	path, err := dev.Build(t.Context(), dev.Rolecall)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "env", "--json")
	cmd.Env = []string{"HOME=/nonexistent"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var listed []struct {
		Name, Default string
		UsedBy        []string
	}
	if err := json.Unmarshal(out, &listed); err != nil {
		t.Fatal(err)
	}
	said, read := map[string]string{}, map[string]string{}
	for _, v := range listed {
		if slices.Contains(v.UsedBy, "dev") {
			said[v.Name] = v.Default
		}
	}
	for _, field := range variableFields(reflect.TypeFor[Config]()) {
		read[variableName(field)] = field.Tag.Get("envDefault")
	}
	if diff := cmp.Diff(read, said); diff != "" || len(read) == 0 {
		t.Errorf("read here (-), said by rolecall env (+):\n%s", diff)
	}
}

func TestLogFormats(t *testing.T) {
	t.Parallel()
	for format, asJSON := range map[string]bool{"text": false, "json": true} {
		var log bytes.Buffer
		Config{LogFormat: format}.logger(&log).Info("hello")
		if json.Valid(log.Bytes()) != asJSON || !strings.Contains(log.String(), "hello") {
			t.Errorf("%s: %s", format, &log)
		}
	}
}

// TestWrongValuesNameTheirVariable sets variables of its own process.
func TestWrongValuesNameTheirVariable(t *testing.T) {
	t.Setenv("ROLECALL_LOG_LEVEL", "loud")
	t.Setenv("ROLECALL_SHUTDOWN_GRACE", "soon")
	_, err := parseConfig()
	for _, want := range []string{"ROLECALL_LOG_LEVEL: ", `"loud"`, "ROLECALL_SHUTDOWN_GRACE: ", `"soon"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	t.Setenv("ROLECALL_LOG_LEVEL", "info")
	t.Setenv("ROLECALL_SHUTDOWN_GRACE", "1s")
	t.Setenv("ROLECALL_LOG_FORMAT", "xml")
	if _, err := parseConfig(); err == nil || !strings.Contains(err.Error(), "ROLECALL_LOG_FORMAT must be text or json") {
		t.Errorf("error: %v", err)
	}
}
