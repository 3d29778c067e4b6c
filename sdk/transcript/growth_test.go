package transcript_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

// TestTheTimeGrowsWithTheLengthAlone: sixteen times as much of anything takes about sixteen times as long; if the cost grew with the square, it would be
// 256 times. The shortest of several runs counts, so that a busy machine does not.
func TestTheTimeGrowsWithTheLengthAlone(t *testing.T) {
	const short, times, most = 4 << 10, 16, 64
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
			few, many := fastest(t, input(short)), fastest(t, input(short*times))
			if many > most*few {
				t.Errorf("%d bytes take %s, %d take %s", short, few, short*times, many)
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

// fastest is the shortest time in which a text is read in every way: as a message and as a tool's result of several agents, by both versions.
func fastest(t *testing.T, text string) time.Duration {
	t.Helper()
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
	least := time.Hour
	for range 4 {
		began := time.Now()
		for _, careful := range [][]transcript.Option{nil, {transcript.Careful()}} {
			c := transcript.NewCollector("execute", careful...)
			for _, line := range lines {
				for _, e := range transcript.Decode(line) {
					c.Add(e)
				}
			}
			c.Result(time.Second)
		}
		least = min(least, time.Since(began))
	}
	return least
}
