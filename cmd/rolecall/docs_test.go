package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the reference pages anew")

// TestReferencePages holds the pages of docs/reference that say what the program says to the program.
func TestReferencePages(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"configuration.md": configurationPage(),
		"command-line.md":  commandLinePage(t),
	} {
		file := filepath.Join("..", "..", "docs", "reference", name)
		if *update {
			if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(kept), page); diff != "" {
			t.Errorf("%s is not what the program says; run go test ./cmd/rolecall -run ReferencePages -update: %s", file, diff)
		}
	}
}

func configurationPage() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Every variable that a program of rolecall reads, as ` + "`rolecall env`" + ` prints it with the present values. Temporal's own variables and
` + "`temporal.toml`" + ` profiles are read by Temporal's envconfig package; the most used ones are listed here.

| variable | default | read by | meaning |
|---|---|---|---|
`)
	for _, v := range variables() {
		fallback := ""
		if v.Default != "" {
			fallback = "`" + v.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, fallback, strings.Join(v.UsedBy, ", "), strings.ReplaceAll(v.Doc, "|", `\|`))
	}
	b.WriteString(`
"client" is the Go SDK and every ` + "`rolecall`" + ` command that calls the API; "dev" is ` + "`make dev`" + `.
`)
	return b.String()
}

func commandLinePage(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# The command line

What ` + "`rolecall`" + ` prints with ` + "`--help`" + `, command by command.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the task or plan failed or was cancelled, or the request was refused |
| 2 | wrong usage |
| 3 | the service can not be reached |
| 4 | timed out waiting |
| 130 | interrupted by Ctrl-C; a task or plan that was waited for goes on |
`)
	root := rootCommand(&console{})
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !cmd.IsAvailableCommand() && cmd != root {
			return
		}
		var out bytes.Buffer
		cmd.SetOut(&out)
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n## %s\n\n```text\n%s\n```\n", cmd.CommandPath(), strings.TrimSpace(out.String()))
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(root)
	return b.String()
}
