package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/bench"
	"github.com/rolecall-dev/rolecall/dev/bench/events"
)

// eventFlags are what is said on the command line beside -events. The last one is for the processes that the program starts of itself.
type eventFlags struct {
	settings events.Settings
	json     string
	page     string
	job      string
}

// asksForEvents reports whether the event log is to be measured, and answers the other arguments.
func asksForEvents(args []string) (rest []string, asks bool) {
	isAsk := func(arg string) bool { return arg == "-events" || arg == "--events" }
	return slices.DeleteFunc(slices.Clone(args), isAsk), slices.ContainsFunc(args, isAsk)
}

func parseEventFlags(args []string, stderr io.Writer) (eventFlags, error) {
	f := eventFlags{settings: events.Settings{}.WithDefaults()}
	set := flag.NewFlagSet("rolecall-bench -events", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.IntVar(&f.settings.Rounds, "rounds", f.settings.Rounds, "how often everything is measured")
	set.Func("publishers", "numbers of publishers at once, comma-separated (default 1,10,50)", numbers(&f.settings.Publishers))
	set.Func("batches", "numbers of events in one call, comma-separated (default 1,100)", numbers(&f.settings.Batches))
	set.DurationVar(&f.settings.Block, "block", f.settings.Block, "how long one measurement of publishing lasts")
	set.DurationVar(&f.settings.WarmUp, "warmup", f.settings.WarmUp, "how long the publishers publish before a measurement counts")
	set.Func("followers", "numbers of followers at once, comma-separated (default 1,100,1000)", numbers(&f.settings.Followers))
	set.IntVar(&f.settings.Delivered, "delivered", f.settings.Delivered, "how many events the followers get")
	set.DurationVar(&f.settings.Every, "every", f.settings.Every, "the time between two of them")
	set.IntVar(&f.settings.Tasks, "tasks", f.settings.Tasks, "over how many tasks the replayed log goes, ten events each; -1 leaves the replay out")
	set.StringVar(&f.json, "json", "", "also write everything that was measured to this file")
	set.StringVar(&f.page, "page", "", "also put the report into this page, such as docs/performance.md")
	set.StringVar(&f.job, "job", "", "do what this file says (the program starts itself so)")
	err := parse(set, args, func() error { return f.settings.Validate() })
	return f, err
}

// numbers reads a comma-separated list.
func numbers(into *[]int) func(string) error {
	return func(list string) error {
		*into = nil
		for text := range strings.SplitSeq(list, ",") {
			n, err := strconv.Atoi(text)
			if err != nil {
				return err
			}
			*into = append(*into, n)
		}
		return nil
	}
}

// aboutEvents measures the event log, or is one of the processes for that.
func aboutEvents(ctx context.Context, f eventFlags) error {
	if f.job == "" {
		return measureEvents(ctx, f)
	}
	job, err := events.ReadJob(f.job)
	if err != nil {
		return err
	}
	return job.Run(ctx)
}

func measureEvents(ctx context.Context, f eventFlags) (err error) {
	report := events.Report{Began: time.Now().UTC(), Machine: bench.ThisMachine(), Settings: f.settings}
	report.LoadBefore, report.Busy = load(report.Machine)
	site, err := events.Open(ctx, dev.Options{Report: say})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, site.Close()) }()
	report.Server = site.Server()
	if report.Blocks, err = site.Measure(ctx, f.settings, say); err != nil {
		return err
	}
	report.LoadAfter, _ = bench.Load()
	report.Figures = events.FiguresOf(f.settings, report.Blocks)
	return handOut(report.Markdown(), bench.EventReport, report, f.page, f.json)
}

// load is the machine's load, and whether it has something else to do.
func load(m bench.Machine) (text string, busy bool) {
	text, last := bench.Load()
	if busy = last > float64(m.Cores)/2; busy {
		say(fmt.Sprintf("the machine is busy (load average %s): only ratios will mean anything", text))
	}
	return text, busy
}
