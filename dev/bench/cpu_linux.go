package bench

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/<pid>/stat: USER_HZ, 100 a second on every Linux.
const tick = 10 * time.Millisecond

// CPUOf is the time that processes have used, by name; those that cannot be read are left out.
func CPUOf(pids map[string]int) map[string]time.Duration {
	used := map[string]time.Duration{}
	for name, pid := range pids {
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			continue
		}
		// The fields after the program's name, which may hold anything: state is the 3rd of proc(5), utime the 14th, stime the 15th.
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(fields) < 13 {
			continue
		}
		user, err1 := strconv.ParseInt(fields[11], 10, 64)
		system, err2 := strconv.ParseInt(fields[12], 10, 64)
		if err1 == nil && err2 == nil {
			used[name] = time.Duration(user+system) * tick
		}
	}
	return used
}
