package pi

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers/agents/command"
)

// teller is a listener that writes down what it is told, one line each; the pieces of one text make one line.
type teller struct {
	lines  []string
	resume []string
	delta  bool // the newest line is a text that goes on
}

func (t *teller) Progress(p sdk.Progress) {
	if p.Category == categoryToolCall { // what a tool is called with is a message and a piece
		if p.Delta != p.Message {
			p.Message += " | not " + p.Delta
		}
		p.Delta = ""
	}
	if p.Delta != "" && t.delta {
		t.lines[len(t.lines)-1] += p.Delta
		return
	}
	line := p.Category + " | " + p.Phase
	if p.Tool != "" {
		line += " | tool " + p.Tool
	}
	if p.Message != "" {
		line += " | " + p.Message
	}
	if t.delta = p.Delta != ""; t.delta {
		line += " | ~" + p.Delta
	}
	t.lines = append(t.lines, line)
}

func (t *teller) Resume(data json.RawMessage) error {
	t.resume = append(t.resume, string(data))
	return nil
}

const (
	started  = "session | Started"
	thinking = "session | Thinking"
	writes   = "I will write the file."
	done     = "Done. Quality gate: passed.\n- Keep inputs validated\n- Follow-up: add tests for ep-041x"
)

// said is a text as it comes: in pieces, then whole.
func said(text string) []string {
	return []string{"message | Processing | ~" + text, "message | Processing | " + text}
}

func lines(groups ...[]string) (all []string) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// written is a run that writes a file and says so.
func written() []string {
	return lines([]string{thinking}, said(writes),
		[]string{"tool_call | Calling write | tool write | hello.txt", "tool_result | Result from write | tool write", thinking}, said(done))
}

// sleeping is a run that is still in its tool.
func sleeping() []string {
	return lines([]string{thinking}, said("Waiting."),
		[]string{"tool_call | Calling bash | tool bash | echo started; sleep 31.4; echo finished"})
}

// failing is a run whose model fails as often as pi tries.
func failing(why string) []string {
	return []string{
		started, thinking, "error | Retrying | retry 1 of 3 in 2s: " + why, thinking, "error | Retrying | retry 2 of 3 in 4s: " + why,
		thinking, "error | Retrying | retry 3 of 3 in 8s: " + why, thinking,
	}
}

// counted 300 words, twenty a line.
func counted() string {
	var b strings.Builder
	for i := range 300 {
		b.WriteString("word" + itoa(i))
		if i%20 == 19 {
			b.WriteString("\n")
		} else {
			b.WriteString(" ")
		}
	}
	return b.String()
}

func itoa(i int) string {
	raw, _ := json.Marshal(i) // a number
	return string(raw)
}

// facts are what a recording comes to, by what is known of its run.
type facts struct {
	session string
	tells   []string
	text    string   // of a success
	spent   []any    // input with cache, output, total, cost; nil where no request was answered
	code    sdk.Code // of a failure
	final   bool
	why     string
}

func recordings() map[string]facts {
	twoRequests := []any{int64(320), int64(42), int64(362), 0.001374}
	oneRequest := []any{int64(80), int64(20), int64(100), 0.000486}
	nothing := []any{int64(0), int64(0), int64(0), 0.0}
	return map[string]facts{
		"write":    {session: "01a1ff9a-8275-751a-a789-4bdb5f6dc83f", tells: lines([]string{started}, written()), text: done, spent: twoRequests},
		"resume-1": {session: "01a1ffb2-5d20-748b-91d2-623de40f151a", tells: lines([]string{started}, written()), text: done, spent: twoRequests},
		"long": {
			session: "01a1ff9a-9387-74bf-94ae-d53ac3c16f0d", tells: lines([]string{started, thinking}, said(counted())), text: counted(),
			spent: []any{int64(50), int64(300), int64(350), 0.0046176},
		},
		"http401": {
			session: "01a1ff9b-2c93-72c8-b5cc-6fa0ab39feef", tells: []string{started, thinking}, spent: nothing,
			code: CodeModelError, final: true, why: "401 Incorrect API key provided",
		},
		"http500": {
			session: "01a1ff9a-db2f-74f7-aa00-de00a02f7e7a", tells: failing("500 scripted failure"), spent: nothing,
			code: CodeModelError, why: "500 scripted failure",
		},
		"no-server": {
			session: "01a1ff9b-5650-7567-8fc0-01cd771ae3f5", tells: failing("Connection error."), spent: nothing,
			code: CodeModelError, why: "Connection error.",
		},
		"unknown-model": {
			session: "01a1ffb2-0acc-748b-a722-36cfd9c29349", tells: failing("Connection error."), spent: nothing,
			code: CodeModelError, why: "Connection error.",
		},
		"sigterm-tool": {
			session: "01a1ff9b-32a3-72aa-86fa-959c4e47a9bd", tells: lines([]string{started}, sleeping()), spent: oneRequest,
			code: sdk.CodeAgentFailed, why: "exit code 143",
		},
		"sigterm-group-tool": {
			session: "01a1ffb1-d20c-7293-8ed4-c9147184fc8d", tells: lines([]string{started}, sleeping()), spent: oneRequest,
			code: sdk.CodeAgentFailed, why: "exit code 143",
		},
		"sigkill-group-tool": {
			session: "01a1ffb1-c506-7279-9d66-16a12aad0807", tells: lines([]string{started}, sleeping()), spent: oneRequest,
			code: sdk.CodeAgentFailed, why: "killed by a signal (SIGKILL)",
		},
		"sigterm-model": {
			session: "01a1ff9b-4abd-74f8-b0b8-3d5dc5c225f0", tells: []string{started, thinking, "message | Processing | ~I am thinking"},
			code: sdk.CodeAgentFailed, why: "exit code 143",
		},
		"text-write":  {code: sdk.CodeAgentFailed, why: "pi ended before its run did"}, // without JSON mode
		"rpc-prompt":  {tells: written(), text: done, spent: twoRequests},
		"rpc-http401": {tells: []string{thinking}, spent: nothing, code: CodeModelError, final: true, why: "401 Incorrect API key provided"},
		"rpc-errors":  {code: sdk.CodeAgentFailed, why: "pi ended before its run did"},
		"rpc-sigterm": {tells: sleeping(), spent: oneRequest, code: sdk.CodeAgentFailed, why: "exit code 143"},
		"rpc-stdin-closed-mid-tool": { // exit code 0 in the middle of a tool
			tells: sleeping(), spent: oneRequest, code: sdk.CodeAgentFailed, why: "pi ended before its run did",
		},
	}
}

// recordedExit is how the recorded program ended.
func recordedExit(t *testing.T, name string) command.Exit {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".meta.json"))
	if err != nil {
		t.Fatal(err)
	}
	var meta struct {
		ExitCode   *int
		ExitSignal string
	}
	if err := json.Unmarshal(raw, &meta); err != nil {
		t.Fatal(err)
	}
	e := command.Exit{Code: -1, Signal: meta.ExitSignal}
	if meta.ExitCode != nil {
		e.Code = *meta.ExitCode
	}
	return e
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	table := recordings()
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) != len(table) {
		t.Fatalf("%d recordings (%v), and facts of %d", len(files), err, len(table))
	}
	for name, want := range table {
		for cut, size := range map[string]int{"whole": 1 << 30, "in pieces of 7": 7} {
			t.Run(name+" "+cut, func(t *testing.T) {
				t.Parallel()
				raw, err := os.ReadFile(filepath.Join("testdata", name+".jsonl"))
				if err != nil {
					t.Fatal(err)
				}
				var heard teller
				s := newStream(1<<20, &heard, nil)
				feed(t, s, raw, size)
				if diff := cmp.Diff(want.tells, heard.lines); diff != "" {
					t.Errorf("progress (-want +got):\n%s", diff)
				}
				wantResume(t, heard, want.session)
				wantSpent(t, s.metrics, want.spent)
				wantEnd(t, s, recordedExit(t, name), want)
			})
		}
	}
}

func feed(t *testing.T, s *stream, raw []byte, size int) {
	t.Helper()
	for len(raw) > 0 {
		n := min(size, len(raw))
		if _, err := s.Write(raw[:n]); err != nil {
			t.Fatal(err)
		}
		raw = raw[n:]
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantResume(t *testing.T, heard teller, session string) {
	t.Helper()
	var want []string
	if session != "" {
		want = []string{`{"session":"` + session + `"}`}
	}
	if diff := cmp.Diff(want, heard.resume); diff != "" {
		t.Errorf("resume data (-want +got):\n%s", diff)
	}
}

func wantSpent(t *testing.T, m sdk.Metrics, want []any) {
	t.Helper()
	if want == nil {
		if m.InputTokens != nil || m.OutputTokens != nil || m.TokensUsed != nil || m.CostUSD != nil {
			t.Errorf("metrics %+v of a run without a complete answer", m)
		}
		return
	}
	if m.InputTokens == nil || m.OutputTokens == nil || m.TokensUsed == nil || m.CostUSD == nil {
		t.Fatalf("metrics are missing: %+v", m)
	}
	if *m.InputTokens != want[0] || *m.OutputTokens != want[1] || *m.TokensUsed != want[2] || math.Abs(*m.CostUSD-want[3].(float64)) > 1e-12 {
		t.Errorf("spent %d %d %d %g, want %v", *m.InputTokens, *m.OutputTokens, *m.TokensUsed, *m.CostUSD, want)
	}
}

func wantEnd(t *testing.T, s *stream, e command.Exit, want facts) {
	t.Helper()
	res, err := s.Conclude(e)
	if want.code == "" {
		if err != nil {
			t.Fatalf("failed: %v", err)
		}
		var out struct{ Text string }
		if err := json.Unmarshal(res.Output, &out); err != nil || out.Text != want.text || res.Model != "scripted" {
			t.Errorf("output %s of %q (%v), want %q", res.Output, res.Model, err, want.text)
		}
		wantLearned(t, res, want.text == done)
	} else {
		fail, ok := errors.AsType[*sdk.AgentError](err)
		if !ok || fail.Code != want.code || fail.Retryable == want.final || !strings.Contains(fail.Message, want.why) {
			t.Errorf("ended with %+v, %v; want %s (final %t): %s", res, err, want.code, want.final, want.why)
		}
	}
	e.Stopped = sdk.ErrCancelRequested
	if res, err := s.Conclude(e); res != nil || !errors.Is(err, sdk.ErrCancelRequested) {
		t.Errorf("stopped from outside it ended with %v, %v", res, err)
	}
}

// wantLearned: who has written the file says at the end what every part of a result is read from; who has counted says none of it.
func wantLearned(t *testing.T, res *sdk.Result, told bool) {
	t.Helper()
	want := &sdk.Result{Output: res.Output, Model: res.Model, Metrics: res.Metrics}
	if told {
		want.QualityGatePassed = new(bool)
		*want.QualityGatePassed = true
		want.QualityGate = json.RawMessage(`{"passed":true,"details":"Quality gate: passed.","evidence":"statement"}`)
		want.Reflection = json.RawMessage(`{"lessons":["Keep inputs validated"],"followUps":["add tests for ep-041x"]}`)
		want.EpisodeRefs = []string{"ep-041x"}
	}
	if diff := cmp.Diff(want, res); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}
