package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/rolecall-dev/rolecall/dev/bench"
)

// errUsage is wrapped by what is wrong with the command line.
var errUsage = errors.New("wrong command line")

// flags are what is said on the command line. Those from part on are for the processes that the program starts of itself.
type flags struct {
	settings bench.Settings
	json     string
	page     string

	part string
	call string
	into string
}

func parseFlags(args []string, stderr io.Writer) (flags, error) {
	f := flags{settings: bench.Settings{}.WithDefaults()}
	set := flag.NewFlagSet("rolecall-bench", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Func("levels", "levels to measure, comma-separated; ratios are to the first (default L0,L1,L2)", func(list string) error {
		f.settings.Levels = nil
		for name := range strings.SplitSeq(list, ",") {
			f.settings.Levels = append(f.settings.Levels, bench.Level(name))
		}
		return nil
	})
	set.Bool("events", false, "measure the event log instead; -events -help lists the options of that")
	set.Func("callers", "numbers of callers at once, comma-separated (default 1,10,50)", numbers(&f.settings.Callers))
	set.IntVar(&f.settings.Rounds, "rounds", f.settings.Rounds, "how often each level is measured with each number of callers")
	set.DurationVar(&f.settings.Block, "block", f.settings.Block, "how long one measurement lasts")
	set.DurationVar(&f.settings.WarmUp, "warmup", f.settings.WarmUp, "how long the callers call before a measurement counts")
	set.IntVar(&f.settings.Slots, "slots", f.settings.Slots, "how many handlers run at once")
	set.BoolVar(&f.settings.Acknowledge, "acknowledge", false, "let the role worker have each attempt's start acknowledged, as rolecall worker does")
	set.IntVar(&f.settings.Counted, "counted", f.settings.Counted, "how many tasks of each level are counted; -1 leaves the counts out")
	set.StringVar(&f.json, "json", "", "also write everything that was measured to this file")
	set.StringVar(&f.page, "page", "", "also put the report into this page, such as docs/performance.md")
	set.StringVar(&f.part, "part", "", "be this worker (the program starts itself so)")
	set.StringVar(&f.call, "call", "", "be the callers of this level (the program starts itself so)")
	set.StringVar(&f.into, "into", "", "with -call: write what was measured to this file")
	err := parse(set, args, func() error { return f.settings.Validate() })
	return f, err
}

// parse reads the command line of a program that takes nothing but flags. An error other than that help was asked for is errUsage.
func parse(set *flag.FlagSet, args []string, validate func() error) error {
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
	case set.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", set.Arg(0))
	default:
		err = validate()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return nil
}
