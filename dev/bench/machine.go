package bench

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// Machine is what a run was measured on.
type Machine struct {
	OS       string            `json:"os"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Memory   string            `json:"memory"`
	Go       string            `json:"go"`
	Versions map[string]string `json:"versions"` // of what a run rests on, by module
}

// ThisMachine describes where the program runs.
func ThisMachine() Machine {
	m := Machine{
		OS: runtime.GOOS + "/" + runtime.GOARCH, CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(),
		Memory: field("/proc/meminfo", "MemTotal"), Go: runtime.Version(), Versions: map[string]string{},
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}
	for _, dep := range info.Deps {
		switch dep.Path {
		case "go.temporal.io/sdk", "go.temporal.io/api", "google.golang.org/grpc", "github.com/nats-io/nats.go", "github.com/nats-io/nats-server/v2":
			m.Versions[dep.Path] = dep.Version
		}
	}
	return m
}

// Load is the machine's load average over 1, 5 and 15 minutes, or "unknown". lastMinute is the first as a number.
func Load() (text string, lastMinute float64) {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown", 0
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 3 {
		return "unknown", 0
	}
	if _, err := fmt.Sscan(fields[0], &lastMinute); err != nil {
		return "unknown", 0
	}
	return strings.Join(fields[:3], " "), lastMinute
}

// field is what stands behind a name in a file of lines such as "name : value", or "unknown".
func field(file, name string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
