package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// lines is what was printed; the handler and the throttler print from goroutines of their own.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.buf, format+"\n", args...)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := regexp.MustCompile(`Session started: \S+`).ReplaceAllString(l.buf.String(), "Session started: …")
	return strings.TrimSpace(regexp.MustCompile(`in \d+ ms`).ReplaceAllString(text, "in … ms"))
}

// TestConverse: the whole of it, against a service in memory.
func TestConverse(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	srv.Agent(sdk.RoleCoordinator, sdktest.Script(sdktest.Attempt().Progress(50, "Processing").Result(sdk.Result{
		Output: []byte(`{"text":"All is well"}`), QualityGatePassed: new(true),
	})))
	var out lines
	if err := converse(t.Context(), srv.Client(), out.say, "Check the auth module"); err != nil {
		t.Fatal(err)
	}
	want := `Session started: …
Task started: validate
[50%] Processing
Task completed in … ms
Result: All is well
Quality gates: true
The last progress was 50%
Session closed`
	if diff := cmp.Diff(want, out.text()); diff != "" {
		t.Error(diff)
	}
}

// TestConverseFails: a task that fails is the error of the program, and the session is closed.
func TestConverseFails(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	srv.Agent(sdk.RoleCoordinator, sdktest.Script(sdktest.Attempt().Fail(sdk.Final("broken", &sdk.TaskError{Code: "x", Message: "no ink"}))))
	var out lines
	if err := converse(t.Context(), srv.Client(), out.say, "Check it"); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("%v", err)
	}
	if got := out.text(); !strings.Contains(got, "Task error: ") || !strings.HasSuffix(got, "Session closed") {
		t.Error(got)
	}
}
