package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// lines is what was said.
type lines struct{ buf bytes.Buffer }

func (l *lines) say(format string, args ...any) { fmt.Fprintf(&l.buf, format+"\n", args...) }

// agent is a handler that answers by whether its work was sent back.
func agent(first, again sdk.Result) sdk.Handler {
	return sdk.HandlerFunc(func(_ context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		var in struct {
			Dir      string
			Feedback json.RawMessage
		}
		if err := json.Unmarshal(a.Task.Input, &in); err != nil || in.Dir != "/work" {
			return nil, sdk.Final("wrong_input", &sdk.TaskError{Code: "wrong_input", Message: string(a.Task.Input)})
		}
		if len(in.Feedback) > 0 {
			return &again, nil
		}
		return &first, nil
	})
}

// reviewer lets the second change pass.
func reviewer() sdk.Handler {
	reviews := 0
	return sdk.HandlerFunc(func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
		reviews++
		return &sdk.Result{Output: json.RawMessage(`{"summary":"read"}`), QualityGatePassed: new(reviews > 1)}, nil
	})
}

// TestCarryOut: the whole of it, against a service in memory.
func TestCarryOut(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	drafted, written := sdk.Result{Output: json.RawMessage(`{"files":["a.go"]}`)}, sdk.Result{Output: json.RawMessage(`{"files":["a.go","b.go"]}`)}
	srv.Agent(sdk.RoleCoder, agent(drafted, written))
	srv.Agent(sdk.RoleReviewer, reviewer())
	srv.Agent(sdk.RoleTester, sdktest.Script(sdktest.Attempt().Complete(map[string]any{"ok": true, "passed": []string{"TestTotal"}})))
	srv.Agent(sdk.RoleDocumenter, sdktest.Script(sdktest.Attempt().Complete(map[string]string{"file": "API.md"})))
	var out lines
	if err := carryOut(t.Context(), srv.Client(), out.say, "/work"); err != nil {
		t.Fatalf("%v\n%s", err, out.buf.String())
	}
	for _, want := range []string{
		`write +pending +sent back by review, round 1`, `write +completed +by `, `document +completed +by `, `\n  completed after `,
		`write +completed +reworks 1`, `document +completed +reworks 0`, `page: "API.md"`, `tests: \["TestTotal"\]`,
	} {
		if !regexp.MustCompile(want).Match(out.buf.Bytes()) {
			t.Errorf("it does not print %q", want)
		}
	}
	if t.Failed() {
		t.Log(out.buf.String())
	}
}

// TestCarryOutFails: a plan that fails is the error of the program.
func TestCarryOutFails(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Fail(sdk.Final("broken", &sdk.TaskError{Code: "x", Message: "no ink"}))))
	var out lines
	err := carryOut(t.Context(), srv.Client(), out.say, "/work")
	if err == nil || !strings.Contains(err.Error(), "write") || !strings.Contains(out.buf.String(), "no ink") {
		t.Errorf("%v\n%s", err, out.buf.String())
	}
}
