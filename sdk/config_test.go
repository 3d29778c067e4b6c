package sdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := sdk.NewClient(sdk.Config{
		URL: "localhost:3009", APIKey: "a b", AgentID: "a.b", ProjectID: "A", OrganizationID: "a:b", PollingIntervalMs: 49,
		HeartbeatIntervalMs: 3_600_001, UserAgent: "a\nb",
	})
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok {
		t.Fatalf("%v", err)
	}
	var got []string
	for _, f := range e.Faults {
		got = append(got, f.Path)
	}
	want := []string{
		"EVENTS_SERVICE_URL", "EVENTS_API_KEY", "AGENT_ID", "PROJECT_ID", "ORGANIZATION_ID", "TASK_POLLING_INTERVAL", "AGENT_HEARTBEAT_INTERVAL", "UserAgent",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, u := range []string{"ftp://h", "http://", "http://u:p@h", "http://h?q=1", "http://h#f", "http:h", "http://[::1", "://"} {
		if _, err := sdk.NewClient(sdk.Config{URL: u}); !errors.Is(err, sdk.ErrInvalidInput) {
			t.Errorf("%s: %v", u, err)
		}
	}
	for _, u := range []string{"", "http://h", "https://h:1/p/", "http://[::1]:3009"} {
		if _, err := sdk.NewClient(sdk.Config{URL: u}); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestConfigFromEnv(t *testing.T) {
	for _, name := range []string{"EVENTS_SERVICE_URL", "EVENTS_API_KEY", "AGENT_ID", "PROJECT_ID", "ORGANIZATION_ID", "TASK_POLLING_INTERVAL", "AGENT_HEARTBEAT_INTERVAL"} {
		t.Setenv(name, "")
	}
	c, err := sdk.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Config(); got.URL != "http://127.0.0.1:3009" || got.PollingIntervalMs != 2000 || got.HeartbeatIntervalMs != 30000 {
		t.Errorf("the defaults are %+v", got)
	}
	t.Setenv("EVENTS_SERVICE_URL", "https://rolecall.example")
	t.Setenv("EVENTS_API_KEY", "rk_secret")
	t.Setenv("AGENT_ID", "a1")
	t.Setenv("PROJECT_ID", "shop")
	t.Setenv("ORGANIZATION_ID", "acme")
	t.Setenv("TASK_POLLING_INTERVAL", "500")
	t.Setenv("AGENT_HEARTBEAT_INTERVAL", "6000")
	got, err := sdk.ConfigFromEnv()
	want := sdk.Config{
		URL: "https://rolecall.example", APIKey: "rk_secret", AgentID: "a1", ProjectID: "shop", OrganizationID: "acme",
		PollingIntervalMs: 500, HeartbeatIntervalMs: 6000,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	asJSON, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if printed := fmt.Sprintf("%v %+v %s", got, got, asJSON); strings.Contains(printed, "secret") {
		t.Errorf("the key is printed: %s", printed)
	}
	t.Setenv("TASK_POLLING_INTERVAL", "2s")
	t.Setenv("AGENT_HEARTBEAT_INTERVAL", "often")
	if _, err := sdk.FromEnv(); !errors.Is(err, sdk.ErrInvalidInput) || !strings.Contains(err.Error(), "TASK_POLLING_INTERVAL") || !strings.Contains(err.Error(), "AGENT_HEARTBEAT_INTERVAL") {
		t.Errorf("%v", err)
	}
}
