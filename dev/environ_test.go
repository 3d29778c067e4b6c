package dev

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestStackSetsVariablesThatAreRead: a variable that no program reads sets nothing.
func TestStackSetsVariablesThatAreRead(t *testing.T) {
	t.Parallel()
	path, err := Build(t.Context(), Rolecall)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), path, "env", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var listed []struct{ Name string }
	if err := json.Unmarshal(out, &listed); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, kv := range (&Stack{dir: t.TempDir()}).environ() {
		if !configures(kv) {
			continue
		}
		found++
		name, _, _ := strings.Cut(kv, "=")
		if !slices.ContainsFunc(listed, func(v struct{ Name string }) bool { return v.Name == name }) {
			t.Errorf("the stack sets %s, which rolecall env does not know", name)
		}
	}
	if found == 0 {
		t.Error("the stack sets nothing")
	}
}
