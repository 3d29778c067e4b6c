package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

// view is a table of what was looked at once.
type view struct {
	value any // with --json
	head  []string
	rows  [][]string
	ages  []string // the end of each row, which changes although nothing happens
	none  string   // said where there is no row
}

func watchFlag(cmd *cobra.Command, into *bool) {
	cmd.Flags().BoolVarP(into, "watch", "w", false, "look again and again, every TASK_POLLING_INTERVAL, until Ctrl-C")
}

// lookAt looks once and prints what was seen; with watch again and again until ctx ends.
func (c *console) lookAt(ctx context.Context, client *sdk.Client, watch bool, look func(context.Context) (view, error)) error {
	if !watch {
		v, err := look(ctx)
		if err != nil {
			return err
		}
		if c.json {
			return c.printJSON(v.value)
		}
		if len(v.rows) == 0 && v.none != "" {
			c.note("%s", v.none)
			return nil
		}
		return c.printf("%s", v.table())
	}
	every := time.NewTicker(time.Duration(client.Config().PollingIntervalMs) * time.Millisecond)
	defer every.Stop()
	shown, trouble := "", ""
	for {
		v, err := look(ctx)
		switch {
		case ctx.Err() != nil:
			return &exitError{code: exitInterrupted}
		case errors.Is(err, sdk.ErrUnavailable) || errors.Is(err, sdk.ErrRateLimited):
			if trouble != err.Error() {
				trouble = err.Error()
				c.note("rolecall: %s; trying again", printable(trouble, false))
			}
		case err != nil:
			return err
		default:
			trouble = ""
			if shown, err = c.frame(v, shown); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return &exitError{code: exitInterrupted}
		case <-every.C:
		}
	}
}

// The escape sequences that move to the top of a terminal and clear what is below.
const top, clearBelow = "\x1b[H", "\x1b[J"

// frame shows what was seen: on a terminal in the place of what was shown before, elsewhere only where it differs from that.
func (c *console) frame(v view, before string) (shown string, err error) {
	if c.width() > 0 && !c.json {
		text := top + strings.ReplaceAll(v.table(), "\n", "\x1b[K\n") + clearBelow
		return "", c.printf("%s", text)
	}
	raw, err := json.Marshal(v.rows)
	if err != nil || string(raw) == before {
		return before, err
	}
	if c.json {
		return string(raw), c.printLine(v.value)
	}
	gap := ""
	if before != "" {
		gap = "\n"
	}
	return string(raw), c.printf("%s%s", gap, v.table())
}

// table is the view in columns.
func (v view) table() string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(cells []string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")) } // a strings.Builder takes everything
	line(v.head)
	for i, row := range v.rows {
		cells := make([]string, len(row), len(row)+1)
		for j, cell := range row {
			cells[j] = printable(cell, false)
		}
		line(append(cells, v.ages[i]))
	}
	_ = table.Flush()
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
