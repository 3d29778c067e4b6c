package workers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// aSecret looks like a key and is none.
const aSecret = "sk-" + "ant-a1B2c3D4e5F6g7H8i9"

func TestASecretThatAnAgentSaysReachesNobody(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func() (*sdk.Result, error){
		"failure": func() (*sdk.Result, error) {
			fail := sdk.Retryable("model_error", errors.New(strings.Repeat("x", sdk.MaxErrorMessage-10)+" "+aSecret))
			fail.Details = json.RawMessage(`{"stderr":"` + aSecret + `","password":"a b"}`)
			return nil, fail
		},
		"plain error": func() (*sdk.Result, error) { return nil, errors.New("401 of " + aSecret) },
		"panic":       func() (*sdk.Result, error) { panic("no " + aSecret) },
		"question": func() (*sdk.Result, error) {
			return nil, sdk.AskInput("use "+aSecret+"?", json.RawMessage(`{"const":"`+aSecret+`"}`))
		},
		"resume": func() (*sdk.Result, error) { return nil, context.Canceled },
	} {
		synctest.Test(t, func(t *testing.T) {
			f, logs := &fakeTemporal{}, &strings.Builder{}
			w := bench(t, f, 1, func(_ context.Context, _ *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
				for i := range 5 {
					r.Progress(sdk.Progress{
						Percentage: float64(i), Phase: aSecret, Message: strings.Repeat("x", sdk.MaxMessage-10) + " " + aSecret, Delta: aSecret, Tool: aSecret, Category: aSecret,
					})
					if err := r.Resume(json.RawMessage(`{"` + aSecret + `":12345678901234567890,"api_key":"a b"}`)); err != nil {
						t.Errorf("%s: %v", name, err)
					}
					pass(time.Second)
				}
				return end()
			})
			w.cfg.Logger = w.clean.Logger(slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
			_, done := begin(w, sdk.Assignment{})
			<-done
			var said strings.Builder
			for _, b := range f.beats {
				fmt.Fprintf(&said, "%s\n", asJSON(t, b.value))
			}
			signals := named[workflows.TaskProgressedInput](f, workflows.TaskProgressed.Name)
			answer := f.answers[0].value
			fmt.Fprintf(&said, "%s\n%v\n%s\n", asJSON(t, signals), answer.Err, asJSON(t, answer.Result))
			if answer.Err != nil {
				fmt.Fprintf(&said, "%s\n", asJSON(t, reportOf(t, answer.Err)))
			}
			for _, secret := range []string{aSecret, aSecret[:10], "a1B2c3D4", "a b"} {
				if strings.Contains(said.String(), secret) || strings.Contains(logs.String(), secret) {
					t.Errorf("%s: %q was told:\n%s\n%s", name, secret, &said, logs)
				}
			}
			if len(signals) == 0 || !strings.Contains(said.String(), `"[redacted]":12345678901234567890`) {
				t.Errorf("%s: told %s", name, &said)
			}
		})
	}
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAResultStaysAsItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTemporal{}
		const output = `{"file":"KEY=` + aSecret + `"}`
		w := bench(t, f, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			return &sdk.Result{Output: json.RawMessage(output)}, nil
		})
		_, done := begin(w, sdk.Assignment{})
		<-done
		if got := resultOf(t, f); string(got.Result.Output) != output {
			t.Errorf("the output became %s", got.Result.Output)
		}
	})
}

func TestAPatternOfTheWorkersOwn(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{"": "ACME-1 [redacted]", "off": "ACME-1 " + aSecret, `ACME-\d`: "[redacted] [redacted]"} {
		w := newRoleWorker(t.Context(), Config{Redact: setting, Logger: slog.New(slog.DiscardHandler)}.withDefaults(), nil, &fakeTemporal{})
		r := newReporter("agent-1", &sdk.Assignment{})
		r.clean = w.clean
		r.Progress(sdk.Progress{Message: "ACME-1 " + aSecret})
		if got := r.report().Progress.Message; got != want {
			t.Errorf("%q: %q", setting, got)
		}
	}
	err := Config{Roles: []sdk.Role{"coder"}, Redact: "hunter2("}.Validate()
	if err == nil || !strings.Contains(err.Error(), "ROLECALL_REDACT: pattern 1") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
