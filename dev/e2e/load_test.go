package e2e_test

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

// most is how much longer a quick thing may take on a machine that has more to do than it can.
const most = 6

// busy is the bound d of what takes far less on a machine that is free, stretched by how many processes there are to run for each of this
// one's cores. It is not stretched beyond six times; what a test tells apart with it takes longer still, or is told apart by more than time.
func busy(d time.Duration) time.Duration {
	var load float64
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return most * d // a machine that does not say
	}
	if _, err := fmt.Sscan(string(raw), &load); err != nil {
		return most * d
	}
	return time.Duration(float64(d) * min(max(load/float64(runtime.NumCPU()), 1), most))
}
