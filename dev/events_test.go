package dev_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestTheEventLogIsAProcess: it can be suspended, and what it acknowledged is there after it was killed.
func TestTheEventLogIsAProcess(t *testing.T) {
	t.Parallel()
	stack := dev.ForTest(t, dev.Options{NoControl: true, NoAPI: true})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	log, err := eventlog.Open(ctx, eventlog.Config{URL: stack.EventsURL(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	if err := log.Await(ctx); err != nil {
		t.Fatal(err)
	}
	appendEvent := func(id string) error {
		_, err := log.Append(ctx, "p", []sdk.Event{{
			SpecVersion: sdk.EventSpecVersion, ID: id, Source: "key/test", Type: "build.done", Time: time.Now(), Data: json.RawMessage("{}"),
		}})
		return err
	}
	if err := appendEvent("a"); err != nil {
		t.Fatal(err)
	}
	if err := stack.Events.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := dev.Until(ctx, 30*time.Second, func(ctx context.Context) error { // a call may be answered before the signal takes effect
		if err := log.Ready(ctx); !errors.Is(err, sdk.ErrUnavailable) {
			return fmt.Errorf("a suspended log: %w", err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := stack.Events.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := stack.Events.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := log.Await(ctx); err != nil {
		t.Fatal(err)
	}
	if err := appendEvent("b"); err != nil {
		t.Fatal(err)
	}
	page, err := log.Read(ctx, "p", eventlog.Query{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range page.Records {
		e, err := r.Event()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.ID)
	}
	if strings.Join(got, " ") != "a b" {
		t.Errorf("kept: %q", got)
	}
	if code, out := rolecallDev(t, []string{"ROLECALL_DEV_EVENTS_ADDR=127.0.0.1:0", "ROLECALL_DATA_DIR=" + stack.Dir() + "/data"}, "--only", "events"); code != 1 ||
		!strings.Contains(out, "held by another process") || !strings.Contains(out, "ROLECALL_DATA_DIR") {
		t.Errorf("a second log on the same files: exit code %d\n%s", code, out)
	}
}
