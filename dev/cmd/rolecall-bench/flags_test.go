package main

import (
	"errors"
	"flag"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev/bench"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	f, err := parseFlags([]string{"-levels", "L0,L2", "-callers", "1,7", "-rounds", "2", "-block", "2s", "-json", "x.json"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.settings.Levels, []bench.Level{bench.Bare, bench.API}) || !slices.Equal(f.settings.Callers, []int{1, 7}) ||
		f.settings.Rounds != 2 || f.settings.Block != 2*time.Second || f.json != "x.json" {
		t.Errorf("read %+v", f)
	}
	if f, err := parseFlags(nil, io.Discard); err != nil || !slices.Equal(f.settings.Callers, []int{1, 10, 50}) || len(f.settings.Levels) != 3 {
		t.Errorf("the defaults are %+v, %v", f, err)
	}
	for _, wrong := range [][]string{{"-levels", "L9"}, {"-callers", "some"}, {"-callers", "0"}, {"-rounds", "0x"}, {"left", "over"}} {
		if _, err := parseFlags(wrong, io.Discard); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if _, err := parseFlags([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

func TestEventFlags(t *testing.T) {
	t.Parallel()
	rest, asks := asksForEvents([]string{"-rounds", "2", "-events", "-followers", "1,30", "-tasks", "-1"})
	if !asks {
		t.Fatal("-events is not seen")
	}
	f, err := parseEventFlags(rest, io.Discard)
	if err != nil || f.settings.Rounds != 2 || !slices.Equal(f.settings.Followers, []int{1, 30}) || f.settings.Tasks != -1 || !slices.Equal(f.settings.Publishers, []int{1, 10, 50}) {
		t.Errorf("read %+v, %v", f, err)
	}
	if _, asks := asksForEvents([]string{"-rounds", "2"}); asks {
		t.Error("-events is seen where there is none")
	}
	for _, wrong := range [][]string{{"-followers", "0"}, {"-publishers", "many"}, {"-every", "1h"}, {"-callers", "1"}, {"left"}} {
		if _, err := parseEventFlags(wrong, io.Discard); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}
