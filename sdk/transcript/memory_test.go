package transcript_test

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

var streamMB = flag.Int("stream-mb", 10, "megabytes of the streams whose memory is measured; make soak has 100")

// generator is a stream that is made while it is read: line by line, until it is as long as it shall be.
type generator struct {
	line func(i int) string
	size int
	i    int
	rest string
	seen func() // called now and then
	at   int
	next int
}

func (g *generator) Read(p []byte) (int, error) {
	if g.at >= g.next {
		g.seen()
		g.next += g.size / 8
	}
	if g.rest == "" && g.at >= g.size {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && (g.rest != "" || g.at+n < g.size) {
		if g.rest == "" {
			g.rest = g.line(g.i) + "\n"
			g.i++
		}
		m := copy(p[n:], g.rest)
		g.rest = g.rest[m:]
		n += m
	}
	g.at += n
	return n, nil
}

// live is how much of the heap is in use when what is garbage is gone.
func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestALongStreamTakesLittleMemory: the heap does not grow with what was read, whatever it is full of.
func TestALongStreamTakesLittleMemory(t *testing.T) {
	const most, longest = 8 << 20, 1 << 20 // two answers and their pieces, a line, and the one that the test makes
	filler := strings.Repeat("a line of what the agent says\\n", 200)
	for name, line := range map[string]func(i int) string{
		"pi repeats its answer": func(i int) string {
			m := fmt.Sprintf(`{"role":"assistant","content":[{"type":"text","text":"%d %s"}]}`, i, filler)
			return fmt.Sprintf(`{"type":"message_update","assistantMessageEvent":{"type":"text_delta","contentIndex":0,"delta":"piece %d ","partial":%s},"message":%s}`, i, m, m)
		},
		"an answer in pieces": func(i int) string {
			return fmt.Sprintf(`{"type":"message","role":"assistant","content":"piece %d %s","delta":true}`, i, filler[:400])
		},
		"findings without end": func(i int) string {
			return fmt.Sprintf(`{"type":"item.completed","item":{"id":"item_%d","type":"agent_message","text":"Quality gate: passed.\n- Lesson %d\n- Follow-up: %d %s\n\nep-%08d"}}`, i, i, i, filler[:1000], i)
		},
		"calls without results": func(i int) string {
			return fmt.Sprintf(`{"type":"tool_use","tool_name":"tool %d","tool_id":"call %d %s","parameters":{}}`, i, i, filler[:200])
		},
		"tools with structured answers": func(i int) string {
			return fmt.Sprintf(`{"type":"tool_execution_end","toolCallId":"%d","toolName":"gate","result":{"details":{"passed":true,"details":"%d"},`, i, i) +
				`"content":[{"type":"text","text":"` + filler + `"}]}}`
		},
		"lines that are too long": func(i int) string {
			return fmt.Sprintf(`{"type":"tool_result","n":%d,"output":"`, i) + strings.Repeat("x", 3*longest) + `"}`
		},
		"no events": func(i int) string { return fmt.Sprintf("a line of a log %d", i) },
	} {
		t.Run(name, func(t *testing.T) {
			before, peak := live(), int64(0)
			stream := &generator{line: line, size: *streamMB << 20, seen: func() { peak = max(peak, live()-before) }}
			learned := []*transcript.Collector{transcript.NewCollector("execute"), transcript.NewCollector("execute", transcript.Careful())}
			transform := transcript.NewEventTransformer("execute", transcript.Careful())
			var shown int
			for e, err := range transcript.NewReader(stream, transcript.MaxLine(longest)).Events() {
				if err != nil {
					t.Fatal(err)
				}
				if _, ok := transform(e); ok {
					shown++
				}
				for _, c := range learned {
					c.Add(e)
				}
			}
			for i, c := range learned {
				wantBounds(t, c.Result(time.Second), i == 1)
			}
			peak = max(peak, live()-before)
			if stream.at < *streamMB<<20 || peak > most {
				t.Errorf("%d bytes took %d bytes of the heap, want at most %d", stream.at, peak, most)
			}
			t.Logf("%d MB, %d lines, %d shown, %d KB of the heap", stream.at>>20, stream.i, shown, peak>>10)
			runtime.KeepAlive(learned)
		})
	}
}
