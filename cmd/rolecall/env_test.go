package main

import (
	"encoding/json"
	"fmt"
	"reflect"
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
	for _, d := range differingDefaults(sections()) {
		t.Error(d)
	}
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
		}
		if found == 0 {
			t.Errorf("%s has no variables", s.config)
		}
	}
}

// differingDefaults are the variables to which two structs give different defaults. A struct that gives none agrees with any.
func differingDefaults(all []section) []string {
	var differing []string
	defaults := map[string]string{}
	for _, s := range all {
		for field := range s.config.Fields() {
			v, ok := variableOf(field)
			if !ok || v.Default == "" {
				continue
			}
			if known := defaults[v.Name]; known != "" && known != v.Default {
				differing = append(differing, fmt.Sprintf("%s.%s: the default of %s is %q here and %q elsewhere", s.config, field.Name, v.Name, v.Default, known))
			}
			defaults[v.Name] = v.Default
		}
	}
	return differing
}

func TestDifferingDefaultsAreFound(t *testing.T) {
	t.Parallel()
	type one struct {
		A string `env:"A" envDefault:"1"`
	}
	type none struct {
		A string `env:"A"`
	}
	type two struct {
		A string `env:"A" envDefault:"2"`
	}
	of := func(configs ...reflect.Type) []section {
		var all []section
		for _, c := range configs {
			all = append(all, section{"test", c})
		}
		return all
	}
	if got := differingDefaults(of(reflect.TypeFor[one](), reflect.TypeFor[none](), reflect.TypeFor[two]())); len(got) != 1 {
		t.Errorf("found %q, want one", got)
	}
	if got := differingDefaults(of(reflect.TypeFor[one](), reflect.TypeFor[none](), reflect.TypeFor[one]())); len(got) != 0 {
		t.Errorf("found %q, want none", got)
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
		"ROLECALL_NATS_URL": "nats://user:secret@one:4222,nats://tk_secret@two:4222",
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
		"ROLECALL_NATS_URL": "nats://user:xxxxx@one:4222,nats://xxxxx@two:4222",
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
