package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/bench"
)

// measure is a whole run: blocks, counts, report.
func measure(ctx context.Context, f flags) error {
	set := f.settings
	report := bench.Report{Began: time.Now().UTC(), Machine: bench.ThisMachine(), Settings: set}
	report.LoadBefore, report.Busy = load(report.Machine)
	say(fmt.Sprintf("about %s of blocks follow", set.Length().Round(time.Second)))
	if err := timed(ctx, set, &report); err != nil {
		return err
	}
	if set.Counted > 0 {
		say("counting what one task costs")
		counts, err := bench.CountTasks(ctx, dev.Options{}, set)
		if err != nil {
			return err
		}
		report.Counts = counts
	}
	return handOut(report.Markdown(), bench.TaskReport, report, f.page, f.json)
}

// handOut prints a report, puts it into a page and writes everything that was measured to a file, as far as these are named.
func handOut(markdown, printedBy string, report any, page, file string) error {
	fmt.Print("\n", markdown)
	if page != "" {
		if err := bench.IntoPage(page, printedBy, markdown); err != nil {
			return err
		}
	}
	if file == "" {
		return nil
	}
	raw, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(raw, '\n'), 0o600)
}

// timed measures the blocks on a site of their own.
func timed(ctx context.Context, set bench.Settings, report *bench.Report) (err error) {
	site, err := bench.Open(ctx, dev.Options{Report: say}, set, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, site.Close()) }()
	info, err := site.Temporal().WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	if err != nil {
		return err
	}
	report.Server = info.GetServerVersion()
	if report.Blocks, err = site.Measure(ctx, set, say); err != nil {
		return err
	}
	report.LoadAfter, _ = bench.Load()
	report.Figures = bench.Figures(set, report.Blocks)
	return nil
}

func say(what string) { fmt.Fprintln(os.Stderr, "bench:", what) }
