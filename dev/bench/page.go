package bench

import (
	"fmt"
	"os"
	"strings"
)

// The marks in docs/performance.md between which a report stands.
const (
	pageBegin = "<!-- what make bench printed: begin -->\n"
	pageEnd   = "<!-- what make bench printed: end -->\n"
)

// IntoPage replaces the report that stands in a page.
func IntoPage(file, report string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(raw), pageBegin)
	_, after, ended := strings.Cut(rest, pageEnd)
	if !begun || !ended {
		return fmt.Errorf("%s has no lines %q and %q to put the report between", file, strings.TrimSpace(pageBegin), strings.TrimSpace(pageEnd))
	}
	return os.WriteFile(file, []byte(before+pageBegin+"\n"+report+"\n"+pageEnd+after), 0o600)
}
