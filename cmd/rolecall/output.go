package main

import (
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	// outputMark stands before a line that an agent said, toolMark before a tool that it called.
	outputMark, toolMark = "  │ ", "  ▸ "
	// longestLine is how much of a line is waited for until it is shown without its end, in bytes.
	longestLine = 1024
)

// output makes lines of the pieces of live output.
type output struct{ begun string } // a line whose end has not come

// take answers the lines that a piece completes.
func (o *output) take(piece sdk.TaskOutput) []string {
	var lines []string
	for _, f := range piece.Frames {
		switch {
		case f.Delta != "":
			lines = append(lines, o.add(f.Delta)...)
		case f.Text != "":
			lines = append(lines, o.rest()...)
			for l := range strings.SplitSeq(strings.Trim(f.Text, "\n"), "\n") {
				lines = append(lines, outputMark+printable(l, false))
			}
		case f.Tool != "":
			lines = append(append(lines, o.rest()...), toolMark+printable(f.Tool, false))
		}
	}
	return lines
}

// add answers the lines that a delta completes.
func (o *output) add(delta string) []string {
	parts := strings.Split(o.begun+delta, "\n")
	o.begun = parts[len(parts)-1]
	var lines []string
	for _, l := range parts[:len(parts)-1] {
		lines = append(lines, outputMark+printable(l, false))
	}
	if len(o.begun) > longestLine {
		lines = append(lines, o.rest()...)
	}
	return lines
}

// rest is the line that was begun, as far as it came.
func (o *output) rest() []string {
	if o.begun == "" {
		return nil
	}
	line := outputMark + printable(o.begun, false)
	o.begun = ""
	return []string{line}
}
