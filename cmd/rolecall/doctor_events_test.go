package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// nobody is an address at which nobody listens.
const nobody = "127.0.0.1:1"

func TestDoctorLooksAtTheEventLog(t *testing.T) {
	t.Parallel()
	server, err := eventlog.StartServer(eventlog.ServerConfig{Dir: t.TempDir(), Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	cfg := eventlog.Config{URL: server.URL(), Logger: slog.New(slog.DiscardHandler)}
	log, err := eventlog.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	if err := log.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, project := range []string{"a", "b"} {
		events := []sdk.Event{
			{SpecVersion: sdk.EventSpecVersion, ID: "1", Source: "s", Type: "x.y", Time: time.Now(), Data: json.RawMessage("{}")},
			{SpecVersion: sdk.EventSpecVersion, ID: "2", Source: "s", Type: "x.y", Time: time.Now(), Data: json.RawMessage("{}")},
		}
		if _, err := log.Append(t.Context(), project, events); err != nil {
			t.Fatal(err)
		}
	}
	seen := lookAtEvents(t.Context(), cfg, "http://"+nobody)
	if seen == nil || seen.Status != "reachable" || seen.Streams != 2 || seen.Events != 4 || seen.Bytes == 0 || len(seen.faults()) != 0 {
		t.Errorf("seen: %+v", seen)
	}
	cfg.URL = "nats://user:secret@" + nobody
	seen = lookAtEvents(t.Context(), cfg, "http://"+nobody)
	if seen == nil || seen.Status != eventsAway || seen.Problem == "" || len(seen.faults()) != 1 || strings.Contains(seen.URL+seen.Problem, "secret") {
		t.Errorf("seen of a log that is away: %+v", seen)
	}
}

func TestDoctorSaysWhatTheAPISaysOfItsLog(t *testing.T) {
	t.Parallel()
	said := `{"status":"ready"}`
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(said)) }))
	t.Cleanup(api.Close)
	if seen := lookAtEvents(t.Context(), eventlog.Config{}, api.URL); seen != nil {
		t.Errorf("of an API that says nothing: %+v", seen)
	}
	said = `{"status":"ready","events":"unavailable"}`
	if seen := lookAtEvents(t.Context(), eventlog.Config{}, api.URL); seen == nil || len(seen.faults()) != 1 || seen.text() != "unavailable, says the API" {
		t.Errorf("of an API whose log is away: %+v", seen)
	}
	said = `{"status":"ready","events":"ready"}`
	if seen := lookAtEvents(t.Context(), eventlog.Config{}, api.URL); seen == nil || len(seen.faults()) != 0 || seen.text() != "ready, says the API" {
		t.Errorf("of an API whose log is there: %+v", seen)
	}
}

func TestDoctorSaysSo(t *testing.T) {
	t.Parallel()
	cmd := program(t.Context(), []string{"EVENTS_SERVICE_URL=" + serving(t, taskIn("queued", nil)).URL, "ROLECALL_NATS_URL=nats://" + nobody}, "doctor")
	out, _ := cmd.Output() // the exit code is looked at below
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(out), "the event log can not be reached") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}
