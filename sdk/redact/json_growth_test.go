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
	const size = 512 << 10
	often := func(open, part, end string) string {
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
	took := func(in string) time.Duration {
		began := time.Now()
		if out := redact.Default().JSON(json.RawMessage(in)); !json.Valid(out) {
			t.Fatal("it is no JSON any more")
		}
		return time.Since(began)
	}
	long := strings.Repeat("x", size/2)
	plain := took(often("{", `"a%":"password=hunter2"`, "}"))
	for name, in := range map[string]string{
		"names that become one":        often("{", `"pwd=a%":0`, "}"),
		"names that are numbered":      often(`{"pwd=hunter2":0,"pwd=hunter3":0,`, `"pwd=[redacted] %":0`, "}"),
		"a long name of many values":   often(`{"`+long+`":[`, `"a"`, "]}"),
		"a long name around its value": often(`{"`+long+`":{`, `"value":"a"`, "}}"),
	} {
		if d := took(in); d > 20*plain {
			t.Errorf("%s took %s; as much with secrets in its values takes %s", name, d, plain)
		}
	}
}
