package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/rolecall-dev/rolecall/sdk"
)

// console is where a command reads and writes.
type console struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// width is the columns of the terminal that stdout is; 0 when it is none.
	width func() int
	// height is its lines; 0, or no function, where they are not known.
	height func() int
	// json is the --json flag.
	json bool
}

// process is the console of this process.
func process() *console {
	out := int(os.Stdout.Fd())
	width := func() int {
		if !term.IsTerminal(out) || os.Getenv("TERM") == "dumb" { //nolint:forbidigo // the terminal says so of itself
			return 0
		}
		columns, _, err := term.GetSize(out)
		if err != nil || columns <= 0 {
			return 80
		}
		return columns
	}
	height := func() int {
		_, lines, err := term.GetSize(out)
		if err != nil {
			return 0
		}
		return lines
	}
	return &console{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, width: width, height: height}
}

// printf writes to stdout.
func (c *console) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(c.stdout, format, args...)
	return err
}

// printJSON writes a value to stdout, indented for people.
func (c *console) printJSON(v any) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printLine writes a value to stdout as one line of JSON.
func (c *console) printLine(v any) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// note tells the person something beside the output. There is nobody to tell when stderr is gone.
func (c *console) note(format string, args ...any) {
	_, _ = fmt.Fprintf(c.stderr, format+"\n", args...)
}

// tryingAgain tells why a stream that was cut is opened again, and why that takes longer: the same is said once.
func (c *console) tryingAgain() sdk.FollowOption {
	said := ""
	return sdk.OnInterruption(func(err error) {
		if why := printable(err.Error(), false); why != said {
			said = why
			c.note("rolecall: %s; trying again", why)
		}
	})
}
