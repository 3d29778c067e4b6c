package events

import (
	"os"
	"strconv"
	"strings"
)

// residentOf is how many bytes of memory processes have, by name; those that cannot be read are left out.
func residentOf(pids map[string]int) map[string]int64 {
	has := map[string]int64{}
	for name, pid := range pids {
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(raw)) {
			value, ok := strings.CutPrefix(line, "VmRSS:")
			if !ok {
				continue
			}
			if kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64); err == nil {
				has[name] = kb << 10
			}
		}
	}
	return has
}
