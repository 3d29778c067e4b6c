//go:build agents

package agents

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/internal/realpi"
	"github.com/rolecall-dev/rolecall/dev/modelserver"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers/agents/command"
	"github.com/rolecall-dev/rolecall/workers/agents/pi"
)

// patience is how long a test waits for a fact before it fails.
const patience = time.Minute

// bench is a real pi in a home of its own, with a scripted model.
type bench struct {
	model *modelserver.Server
	agent *command.Agent
	dir   string // where pi works

	mu     sync.Mutex
	tools  []string // that were called
	resume json.RawMessage
}

func (b *bench) Progress(p sdk.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.Category == "tool_call" || p.Category == "tool_result" {
		b.tools = append(b.tools, p.Phase+": "+p.Message)
	}
}

func (b *bench) Resume(data json.RawMessage) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.resume = data
	return nil
}

func (b *bench) called() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.tools)
}

// configure gives pi a scripted model, and answers the path of pi.
func configure(t *testing.T, dir, url string) string {
	t.Helper()
	root, err := dev.Root()
	if err != nil {
		t.Fatal(err)
	}
	program, err := realpi.Program(root)
	if err == nil {
		err = realpi.Configure(dir, url, "scripted")
	}
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func newBench(t *testing.T, script ...modelserver.Answer) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir()}
	var err error
	if b.model, err = modelserver.New(script); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(b.model)
	t.Cleanup(server.Close)
	home := t.TempDir()
	program := configure(t, filepath.Join(home, ".pi", "agent"), server.URL+"/v1")
	environ := []string{"HOME=" + home, "PI_OFFLINE=1"}
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "PATH=") {
			environ = append(environ, kv)
		}
	}
	b.agent, err = pi.New(pi.Config{
		Program: program, Provider: realpi.Provider, Model: "scripted", Args: []string{"--offline"},
		Command: command.Config{Workdir: b.dir, DataDir: t.TempDir(), WorkerID: "coder-1", Environ: environ},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.agent.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) handle(ctx context.Context, attempt int) (*sdk.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return b.agent.Handle(ctx, &sdk.Assignment{
		Task:    sdk.Task{ID: "task-1", Type: sdk.TypeCodeWrite, Title: "@Greet", Description: "Write hello.txt."},
		Attempt: attempt, MaxAttempts: 3, Resume: b.resume,
	}, b)
}

func TestPiWritesAFile(t *testing.T) {
	t.Parallel()
	b := newBench(t,
		modelserver.Answer{
			Text: "I will write it.", Input: 120, Cached: 30, Output: 30,
			Tools: []modelserver.Tool{{Name: "write", Arguments: map[string]any{"path": "hello.txt", "content": "hello\n"}}},
		},
		modelserver.Answer{Tools: []modelserver.Tool{{Name: "bash", Arguments: map[string]any{"command": "echo out; exit 3"}}}, Input: 100, Output: 10},
		modelserver.Answer{Text: "Done.", Input: 80, Output: 5})
	res, err := b.handle(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if string(res.Output) != `{"text":"Done."}` || *res.Metrics.InputTokens != 300 || *res.Metrics.OutputTokens != 45 || *res.Metrics.CostUSD <= 0 {
		t.Errorf("result %s, %d in, %d out", res.Output, *res.Metrics.InputTokens, *res.Metrics.OutputTokens)
	}
	if raw, err := os.ReadFile(filepath.Join(b.dir, "hello.txt")); err != nil || string(raw) != "hello\n" {
		t.Errorf("the file holds %q (%v)", raw, err)
	}
	want := []string{
		"Calling write: hello.txt", "Result from write: ", "Calling bash: echo out; exit 3", "Result from bash: failed: Command exited with code 3",
	}
	if got := b.called(); !slices.Equal(got, want) {
		t.Errorf("tools %q, want %q", got, want)
	}
	asked := b.model.Requests()[0].Messages
	if got := asked[len(asked)-1].Text(); got != "# @Greet\n\nWrite hello.txt." {
		t.Errorf("the prompt came as %q", got)
	}
}

// TestPiFailsWithItsModel: pi exits with 0 in each of these.
func TestPiFailsWithItsModel(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer modelserver.Answer
		final  bool
		why    string
		asked  int
	}{
		"no key":        {modelserver.Answer{Status: http.StatusUnauthorized, Text: "no such key"}, true, "401 no such key", 1},
		"broken":        {modelserver.Answer{Status: http.StatusInternalServerError, Text: "out of order"}, false, "500 out of order", 2},
		"busy":          {modelserver.Answer{Status: http.StatusTooManyRequests, Text: "slow down"}, false, "429 slow down", 2},
		"no such model": {modelserver.Answer{Status: http.StatusNotFound, Text: "no such model"}, true, "404 no such model", 1},
		"breaks off":    {modelserver.Answer{Text: "never said", Cut: true}, false, "terminated", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, test.answer)
			_, err := b.handle(t.Context(), 1)
			fail, ok := errors.AsType[*sdk.AgentError](err)
			if !ok || fail.Code != pi.CodeModelError || fail.Retryable == test.final || !strings.Contains(fail.Message, test.why) {
				t.Errorf("ended with %v", err)
			}
			if !ok || !strings.Contains(string(fail.Details), `"exitCode":0`) {
				t.Errorf("the details are %s", fail.Details)
			}
			if asked := len(b.model.Requests()); asked != test.asked {
				t.Errorf("the model was asked %d times, want %d", asked, test.asked)
			}
		})
	}
}

func TestPiRecoversFromItsModel(t *testing.T) {
	t.Parallel()
	b := newBench(t, modelserver.Answer{Status: http.StatusInternalServerError, Text: "out of order"}, modelserver.Answer{Text: "Done.", Input: 10, Output: 2})
	res, err := b.handle(t.Context(), 1)
	if err != nil || string(res.Output) != `{"text":"Done."}` || *res.Metrics.TokensUsed != 12 {
		t.Errorf("ended with %+v, %v", res, err)
	}
}

// TestPiGoesOn interrupts pi while a tool runs: the tool ends with it, and the next attempt's model sees what was said before.
func TestPiGoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t,
		modelserver.Answer{Text: "A long one.", Tools: []modelserver.Tool{{Name: "bash", Arguments: map[string]any{"command": "echo $$ > pid; sleep 300"}}}},
		modelserver.Answer{Text: "Done after all."})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() {
		_, err := b.handle(ctx, 1)
		ended <- err
	}()
	pid := b.waitForFile(t, "pid", ended)
	cancel(sdk.ErrInterruptedAttempt)
	if err := <-ended; !errors.Is(err, sdk.ErrInterruptedAttempt) {
		t.Fatalf("ended with %v", err)
	}
	if stat, err := os.ReadFile("/proc/" + strings.TrimSpace(pid) + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Errorf("the tool is left: %s", stat)
	}
	if res, err := b.handle(t.Context(), 2); err != nil || string(res.Output) != `{"text":"Done after all."}` {
		t.Fatalf("the second attempt ended with %+v, %v", res, err)
	}
	var texts []string
	asked := b.model.Requests()
	for _, m := range asked[len(asked)-1].Messages {
		texts = append(texts, m.Text())
	}
	if all := strings.Join(texts, "\n"); !strings.Contains(all, "A long one.") || !strings.Contains(all, "Your work on this task was interrupted.") {
		t.Errorf("the model was told:\n%s", all)
	}
}

func (b *bench) waitForFile(t *testing.T, name string, ended <-chan error) string {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if raw, err := os.ReadFile(filepath.Join(b.dir, name)); err == nil && len(raw) > 0 {
			return string(raw)
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended before: %v", err)
		case <-tick.C:
		}
	}
	t.Fatalf("no %s after %s", name, patience)
	return ""
}
