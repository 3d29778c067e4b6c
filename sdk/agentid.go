package sdk

import (
	"os"
	"strconv"
	"strings"
)

// DefaultAgentID is the id of an agent that is given none: host name and process id.
func DefaultAgentID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "agent"
	}
	return defaultAgentID(host, os.Getpid())
}

// defaultAgentID makes an id out of any host name: what an id cannot hold becomes a hyphen.
func defaultAgentID(host string, pid int) string {
	const room = 100
	id := strings.Map(func(r rune) rune {
		if r < 128 && ValidID("x"+string(r)) {
			return r
		}
		return '-'
	}, host)
	id = strings.Trim(id, "-_")
	if len(id) > room {
		id = id[:room]
	}
	if id == "" {
		id = "agent"
	}
	return id + "-" + strconv.Itoa(pid)
}
