package bench

import (
	"fmt"
	"os"
	"strings"
)

// The reports of docs/performance.md, by what printed them.
const (
	TaskReport  = "make bench"
	EventReport = `make bench BENCH="-events"`
)

// marks are the lines in a page between which a report stands.
func marks(printedBy string) (begin, end string) {
	return "<!-- what " + printedBy + " printed: begin -->\n", "<!-- what " + printedBy + " printed: end -->\n"
}

// IntoPage replaces the report of one kind that stands in a page.
func IntoPage(file, printedBy, report string) error {
	pageBegin, pageEnd := marks(printedBy)
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
