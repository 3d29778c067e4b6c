package transcript_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

// TestTheTimeGrowsWithTheLengthAlone: a text takes about as long as sixteen that are a sixteenth of it; if the cost grew with the square, it would take
// sixteen times as long. Both sides take the same time otherwise, so that a busy machine is as hard on one as on the other; the shortest of a few
// runs counts.
func TestTheTimeGrowsWithTheLengthAlone(t *testing.T) {
	const short, times, most = 4 << 10, 16, 5
	inputs := map[string]func(n int) string{
		"words":            func(n int) string { return strings.Repeat("word ", n/5) },
		"one long word":    func(n int) string { return strings.Repeat("x", n) },
		"verdicts":         func(n int) string { return strings.Repeat("gate 3 failed ", n/14) },
		"numbers":          func(n int) string { return strings.Repeat("1 ", n/2) + "passed" },
		"nouns":            func(n int) string { return strings.Repeat("tests passed\n", n/13) },
		"clauses":          func(n int) string { return strings.Repeat("a. ", n/3) },
		"lines":            func(n int) string { return strings.Repeat("\n", n) },
		"points":           func(n int) string { return strings.Repeat("- next\n", n/7) },
		"different points": func(n int) string { return numbered("- a lesson of the run %d\n", n) },
		"episodes":         func(n int) string { return numbered("ep-%06d ", n) },
		"halves of them":   func(n int) string { return strings.Repeat("ep-", n/3) },
		"spaces of one":    func(n int) string { return "episode:" + strings.Repeat(" ", n) },
		"objects":          func(n int) string { return numbered("{\"passed\":true,\"details\":\"%d\"}\n", n) },
		"nested objects":   func(n int) string { return strings.Repeat(`{"data":`, n/9) + "1" + strings.Repeat("}", n/9) },
		"fences":           func(n int) string { return strings.Repeat("```\n{\n", n/6) },
		"open fences":      func(n int) string { return "```\n" + strings.Repeat("{\"a\":1}\n", n/8) },
		"quotes":           func(n int) string { return strings.Repeat(`"{`, n/2) },
	}
	for name, input := range inputs {
		t.Run(name, func(t *testing.T) {
			parts, whole := time.Hour, time.Hour
			for run := 0; run == 0 || (run < 5 && whole > most*parts); run++ {
				parts, whole = min(parts, took(input(short), times)), min(whole, took(input(short*times), 1))
			}
			if whole > most*parts {
				t.Errorf("%d texts of %d bytes take %s, one that is as long takes %s", times, short, parts, whole)
			}
		})
	}
}

// numbered repeats a line with a number, up to n bytes.
func numbered(format string, n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// took is the time in which a text is read so often, in every way: as a message and as a tool's result of several agents, by both versions.
func took(text string, times int) time.Duration {
	var lines [][]byte
	for _, format := range []string{
		`{"type":"tool_result","output":%q}`, `{"type":"message_end","message":{"role":"assistant","content":[{"type":"text","text":%q}]}}`,
		`{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":%q}]}}`, `{"type":"message_update","assistantMessageEvent":{"type":"text_delta","delta":%q}}`,
		`{"type":"item.completed","item":{"type":"command_execution","aggregated_output":%q}}`,
	} {
		lines = append(lines, fmt.Appendf(nil, format, text))
	}
	if strings.HasPrefix(text, "{") && !strings.Contains(text, "\n") {
		lines = append(lines, []byte(`{"type":"tool_result","result":`+text+`}`), []byte(`{"type":"user","message":`+text+`}`))
	}
	began := time.Now()
	for range times {
		for _, careful := range [][]transcript.Option{nil, {transcript.Careful()}} {
			c := transcript.NewCollector("execute", careful...)
			for _, line := range lines {
				for _, e := range transcript.Decode(line) {
					c.Add(e)
				}
			}
			c.Result(time.Second)
		}
	}
	return time.Since(began)
}
