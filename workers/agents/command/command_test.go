//go:build linux || darwin

package command

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/propagation"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestProgramGetsTheAssignment(t *testing.T) {
	t.Parallel()
	cfg := config(t, as("echo", "--flag", "two words", "$HOME")...)
	cfg.ServiceURL = "http://127.0.0.1:3009"
	cfg.EnvAllow = []string{"KEEP", "LC_*", "TRACEPARENT"}
	cfg.Environ = []string{"KEEP=1", "LC_ALL=C", "SECRET=s", "KEEPER=2", "ROLECALL_TASK_ID=forged", "TRACEPARENT=forged", "EVENTS_SERVICE_URL=forged"}
	in := assignment("task-1", 2)
	in.Model, in.Resume = "m", json.RawMessage(`{"at":3}`)
	in.Answers = []sdk.Answer{{RequestID: "q", Prompt: "?", Answer: json.RawMessage(`true`)}}
	ctx := propagation.TraceContext{}.Extract(t.Context(), propagation.MapCarrier{
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "vendor=x",
	})
	res, err := newAgent(t, cfg).Handle(ctx, in, &recorder{})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Stdin     sdk.Assignment
		Env, Args []string
	}
	if err := json.Unmarshal(res.Output, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*in, got.Stdin); diff != "" {
		t.Errorf("stdin (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"--flag", "two words", "$HOME"}, got.Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	got.Env = slices.DeleteFunc(got.Env, func(kv string) bool { return strings.HasPrefix(kv, markName+"=") })
	slices.Sort(got.Env)
	want := []string{
		"EVENTS_SERVICE_URL=http://127.0.0.1:3009", "KEEP=1", "LC_ALL=C", "ROLECALL_ATTEMPT=2", "ROLECALL_PROJECT=acme",
		"ROLECALL_TASK_ID=task-1", "ROLECALL_TASK_TYPE=code.test",
		"TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "TRACESTATE=vendor=x",
	}
	if diff := cmp.Diff(want, got.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestProgramIsHeard(t *testing.T) {
	t.Parallel()
	script := `echo working; echo '{"progress":{"percentage":50,"phase":"half"}}'; echo '{"resume":{"n":1}}'
echo '{"result":{"output":{"ok":true},"model":"m"}}'; echo done`
	res, r, err := handle(t, config(t, shell(script)...))
	if err != nil {
		t.Fatal(err)
	}
	want := &sdk.Result{Output: json.RawMessage(`{"ok":true}`), Model: "m"}
	if diff := cmp.Diff(want, res); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]sdk.Progress{{Percentage: 50, Phase: "half"}}, r.progress); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`{"n":1}`}, r.resume); diff != "" {
		t.Errorf("resume (-want +got):\n%s", diff)
	}
}

func TestPlainProgramsOutputIsItsText(t *testing.T) {
	t.Parallel()
	res, _, err := handle(t, config(t, shell(`printf 'a <b> & "c"\n\000\377no end'`)...))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"text":"a <b> & \"c\"\n\u0000` + "\uFFFD" + `no end"}`; string(res.Output) != want {
		t.Errorf("output %s, want %s", res.Output, want)
	}
}

func TestProgramAsksForInput(t *testing.T) {
	t.Parallel()
	_, _, err := handle(t, config(t, shell(`echo '{"inputRequired":{"prompt":"which?","schema":{"type":"string"}}}'`)...))
	ask, ok := errors.AsType[*sdk.InputRequired](err)
	if !ok || ask.Prompt != "which?" || string(ask.Schema) != `{"type":"string"}` {
		t.Errorf("error %#v, want the question", err)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script    string
		code      sdk.Code
		retryable bool
		message   string // part of it
		details   string
	}{
		"exit code": {
			`echo out; echo first >&2; echo last >&2; exit 3`, sdk.CodeAgentFailed, true, "exit code 3: last",
			`{"exitCode":3,"stderr":"first\nlast\n","stdout":"out\n"}`,
		},
		"exit code 63":      {`exit 63`, sdk.CodeAgentFailed, true, "exit code 63", `{"exitCode":63}`},
		"sysexits from":     {`exit 64`, sdk.CodeAgentFailed, false, "exit code 64", `{"exitCode":64}`},
		"sysexits to":       {`exit 78`, sdk.CodeAgentFailed, false, "exit code 78", `{"exitCode":78}`},
		"exit code 79":      {`exit 79`, sdk.CodeAgentFailed, true, "exit code 79", `{"exitCode":79}`},
		"signal":            {`kill -SEGV $$`, sdk.CodeAgentFailed, true, "killed by a signal (segmentation fault)", `{"signal":"segmentation fault"}`},
		"a bad end":         {`echo '{"result":{"output":1}}'; exit 1`, sdk.CodeAgentFailed, true, "exit code 1", `{"exitCode":1}`},
		"a question, then":  {`echo '{"inputRequired":{"prompt":"?"}}'; exit 1`, sdk.CodeAgentFailed, true, "exit code 1", `{"exitCode":1}`},
		"error line":        {`echo '{"error":{"code":"no_repo","message":"no such","retryable":false}}'`, "no_repo", false, "no such", `{"exitCode":0}`},
		"error line, exit":  {`echo '{"error":{"code":"no_repo","message":"no such"}}'; exit 70`, "no_repo", true, "no such", `{"exitCode":70}`},
		"error after all":   {`echo '{"result":{"output":1}}'; echo '{"error":{"code":"no_repo","message":"no such"}}'`, "no_repo", true, "no such", `{"exitCode":0}`},
		"its own group":     {`kill -KILL 0`, sdk.CodeAgentFailed, true, "", `{"signal":"killed"}`},
		"too much text":     {`head -c 1100000 /dev/zero | tr '\000' x`, sdk.CodePayloadTooLarge, false, "1048576", ``},
		"too deep a result": {`printf '{"result":{"output":'; for i in $(seq 70); do printf "["; done; for i in $(seq 70); do printf "]"; done; echo "}}"`, sdk.CodeInvalidOutput, false, "deeper than 64", ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, _, err := handle(t, config(t, shell(tc.script)...))
			got, ok := errors.AsType[*sdk.AgentError](err)
			if !ok {
				t.Fatalf("%v, %v, want an AgentError", res, err)
			}
			if got.Code != tc.code || got.Retryable != tc.retryable || !strings.Contains(got.Message, tc.message) {
				t.Errorf("%s (retryable %v), want %s %q (%v)", got.Error(), got.Retryable, tc.code, tc.message, tc.retryable)
			}
			if string(got.Details) != tc.details {
				t.Errorf("details %s, want %s", got.Details, tc.details)
			}
		})
	}
}

func TestEndOfStderrIsKept(t *testing.T) {
	t.Parallel()
	script := `i=0; while [ $i -lt 3000 ]; do echo "line $i \"<>\"" >&2; i=$((i+1)); done; head -c 20000 /dev/zero; exit 2`
	_, _, err := handle(t, config(t, shell(script)...))
	got := sdk.AsAgentError(err)
	var details struct{ Stderr string }
	if uerr := json.Unmarshal(got.Details, &details); uerr != nil || len(got.Details) > sdk.MaxErrorDetails {
		t.Fatalf("details of %d bytes: %v", len(got.Details), uerr)
	}
	if !strings.HasSuffix(details.Stderr, "line 2999 \"<>\"\n") || len(details.Stderr) < 4000 {
		t.Errorf("%d bytes of stderr are kept, ending with %q", len(details.Stderr), lastLine(details.Stderr))
	}
}

func TestProgramsThatCannotBeStarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, path := range map[string]string{
		"missing": filepath.Join(dir, "missing"), "unknown name": "rolecall-no-such-program", "not executable": write("plain", "", 0o600),
	} {
		if _, err := New(config(t, path)); err == nil || !strings.Contains(err.Error(), "program") {
			t.Errorf("%s: New answers %v", name, err)
		}
	}
	for name, path := range map[string]string{
		"no interpreter": write("a", "#!/no/such/interpreter\n", 0o700), "no format": write("b", "\x7fELFnot", 0o700),
	} {
		_, _, err := handle(t, config(t, path))
		if got := sdk.AsAgentError(err); err == nil || got.Retryable || !strings.Contains(got.Message, "the program") {
			t.Errorf("%s: %v (retryable %v), want a final error", name, err, got.Retryable)
		}
	}
	gone := write("gone", "#!/bin/sh\n", 0o700)
	a := newAgent(t, config(t, gone))
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	_, err := a.Handle(t.Context(), assignment("task-1", 1), &recorder{})
	if got := sdk.AsAgentError(err); err == nil || got.Retryable || !strings.Contains(got.Message, "not found") {
		t.Errorf("removed: %v, want a final error", err)
	}
}

func TestStdinNeedNotBeRead(t *testing.T) {
	t.Parallel()
	in := assignment("task-1", 1)
	in.Task.Input = json.RawMessage(`"` + strings.Repeat("x", 400<<10) + `"`) // more than a pipe holds
	for name, script := range map[string]string{
		"closed": `exec <&-; echo hi`, "ignored": `echo hi`, "late": `head -c 300000 /dev/zero >&2; cat >/dev/null; echo hi`,
	} {
		res, err := newAgent(t, config(t, shell(script)...)).Handle(t.Context(), in, &recorder{})
		if err != nil || string(res.Output) != `{"text":"hi\n"}` {
			t.Errorf("%s: %v, %v", name, res, err)
		}
	}
}

//nolint:paralleltest // it measures what the process allocates
func TestFloodIsBounded(t *testing.T) {
	const flood = 100_000_000
	for name, script := range map[string]string{"stdout": `exec "$@"`, "stderr": `exec "$@" >&2`} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := handle(t, config(t, shell(script, as("flood", strconv.Itoa(flood))...)...))
		runtime.ReadMemStats(&after)
		if name == "stderr" {
			if err != nil {
				t.Errorf("%v, want a success: what is said on stderr is log", err)
			}
		} else if err == nil || sdk.AsAgentError(err).Code != sdk.CodePayloadTooLarge || sdk.AsAgentError(err).Retryable {
			t.Errorf("%v, want a final payload_too_large", err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > flood/4 {
			t.Errorf("%s: %d bytes were allocated for %d that the program wrote: they are held", name, took, flood)
		} else {
			t.Logf("%s: %d bytes allocated", name, took)
		}
	}
}

func TestPrivateDirectoryIsFreshAndRemoved(t *testing.T) {
	t.Parallel()
	res, _, err := handle(t, config(t, shell(`ls -A | wc -l | tr -d ' \n'; mkdir -p d/e; : >d/e/f; chmod 500 d/e; pwd`)...))
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Text string }
	if err := json.Unmarshal(res.Output, &out); err != nil || !strings.HasPrefix(out.Text, "0/") {
		t.Fatalf("%s, %v: want an empty directory", res.Output, err)
	}
	if _, err := os.Stat(strings.TrimSpace(out.Text[1:])); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the private directory is left: %v", err)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := New(Config{EnvAllow: []string{"A", "B=1", "*"}, WorkerID: "../x", MaxLine: 1, MaxLog: -1, Grace: -1})
	for _, part := range []string{"no program", "ROLECALL_DATA_DIR", "../x", `"B=1"`, `"*"`, "longest line", "kept log", "grace"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v\ndoes not name %s", err, part)
		}
	}
	cfg := config(t, "/bin/sh")
	cfg.Workdir = filepath.Join(t.TempDir(), "missing")
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "create it") {
		t.Errorf("a missing working directory: %v", err)
	}
}
