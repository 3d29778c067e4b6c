package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEveryVariableIsDescribed: a field that the environment sets says what it means, and two structs that share a variable agree
// about its default.
func TestEveryVariableIsDescribed(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	defaults := map[string]string{}
	for _, s := range sections() {
		found := 0
		for field := range s.config.Fields() {
			v, ok := variableOf(field)
			if !ok {
				continue
			}
			found++
			where := s.config.String() + "." + field.Name
			if v.Doc == "" {
				t.Errorf("%s (%s) has no doc tag", where, v.Name)
			}
			if !name.MatchString(v.Name) {
				t.Errorf("%s is set by %q, which is no variable's name", where, v.Name)
			}
			if known := defaults[v.Name]; known != "" && v.Default != "" && known != v.Default {
				t.Errorf("%s: the default of %s is %q here and %q elsewhere", where, v.Name, v.Default, known)
			}
			defaults[v.Name] = v.Default
		}
		if found == 0 {
			t.Errorf("%s has no variables", s.config)
		}
	}
}

func TestVariablesAreListedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	last := ""
	for _, v := range variables() {
		if seen[v.Name] || v.Name < last {
			t.Errorf("%s is listed twice or out of order", v.Name)
		}
		seen[v.Name], last = true, v.Name
	}
	for _, want := range []string{
		"EVENTS_SERVICE_URL", "EVENTS_API_KEY", "AGENT_ID", "PROJECT_ID", "ORGANIZATION_ID", "TASK_POLLING_INTERVAL",
		"AGENT_HEARTBEAT_INTERVAL", "ROLECALL_ADDR", "ROLECALL_LOG_LEVEL", "ROLECALL_LOG_FORMAT", "ROLECALL_DATA_DIR", "TEMPORAL_ADDRESS",
	} {
		if !seen[want] {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestSettingsHideSecrets(t *testing.T) {
	t.Parallel()
	present := map[string]string{
		"EVENTS_API_KEY": "rk_secret", "TEMPORAL_API_KEY": "tk_secret", "EVENTS_SERVICE_URL": "http://user:secret@host", "PROJECT_ID": "shop", "AGENT_ID": "",
	}
	settings := settingsOf(variables(), func(name string) (string, bool) { v, ok := present[name]; return v, ok })
	got := map[string]string{}
	for _, s := range settings {
		if s.Set {
			got[s.Name] = s.Value
		}
	}
	want := map[string]string{
		"EVENTS_API_KEY": "(hidden)", "TEMPORAL_API_KEY": "(hidden)", "EVENTS_SERVICE_URL": "http://user:xxxxx@host", "PROJECT_ID": "shop",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	asJSON, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	if text := settingsText(settings); strings.Contains(text+string(asJSON), "secret@") || strings.Contains(text+string(asJSON), "k_secret") {
		t.Errorf("a secret is shown: %s", text)
	}
}
