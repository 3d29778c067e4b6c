package e2e_test

import (
	"cmp"
	"flag"
	"math/rand/v2"
	"testing"
)

// seed chooses what tests choose at random.
var seed = flag.Uint64("seed", 0, "what random tests choose by, to repeat one; 0 is a new one each time, and each prints its own")

// chance is what a test chooses by, told in its log. Each part of it that runs by itself has a source of its own, by its number.
type chance uint64

func newChance(t *testing.T) chance {
	t.Helper()
	c := chance(cmp.Or(*seed, rand.Uint64()))
	t.Logf("seed %d (-seed %d repeats it)", c, c)
	return c
}

func (c chance) source(part int) *rand.Rand { return rand.New(rand.NewPCG(uint64(c), uint64(part))) }
