package redact_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// TestTheTimeOfJSONGrowsWithItsLengthAlone, whatever is in it.
func TestTheTimeOfJSONGrowsWithItsLengthAlone(t *testing.T) {
	const short, times, most = 16 << 10, 4, 2.5
	often := func(size int, open, part, end string) string {
		var b strings.Builder
		b.WriteString(open)
		for i := 0; b.Len() < size; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(part, "%", fmt.Sprintf("%05d", i)))
		}
		return b.String() + end
	}
	stays := func(text string, _ func(string) bool) (parts [][2]int) {
		for i := range len(text) - 1 {
			if text[i] == '<' {
				parts = append(parts, [2]int{i, i + 1})
			}
		}
		return parts
	}
	took := func(in string, n int) time.Duration {
		began := time.Now()
		for range n {
			if out := redact.Default().JSONBut(json.RawMessage(in), stays); !json.Valid(out) {
				t.Fatal("it is no JSON any more")
			}
		}
		return time.Since(began)
	}
	for name, of := range map[string]func(size int) string{
		"secrets in values":            func(n int) string { return often(n, "{", `"a%":"password=hunter2"`, "}") },
		"names that become one":        func(n int) string { return often(n, "{", `"pwd=a%":0`, "}") },
		"names that are numbered":      func(n int) string { return often(n, `{"pwd=hunter2":0,"pwd=hunter3":0,`, `"pwd=[redacted] %":0`, "}") },
		"a long name of many values":   func(n int) string { return often(n, `{"`+strings.Repeat("x", n/2)+`":[`, `"a"`, "]}") },
		"a long name around its value": func(n int) string { return often(n, `{"`+strings.Repeat("x", n/2)+`":{`, `"value":"a"`, "}}") },
		"secrets beside what stays":    func(n int) string { return often(n, `"`, "<PASSWORD=<hunter% ", `"`) },
	} {
		parts, whole := time.Hour, time.Hour
		for run := 0; run == 0 || run < 5 && float64(whole) > most*float64(parts); run++ {
			parts, whole = min(parts, took(of(short), times)), min(whole, took(of(short*times), 1))
		}
		if float64(whole) > most*float64(parts) {
			t.Errorf("%s: %d of %d bytes take %s, one that is as long takes %s", name, times, short, parts, whole)
		}
	}
}
