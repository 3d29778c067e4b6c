//go:build linux || darwin

package command

import (
	"context"
	"syscall"
	"time"
)

// killPatience bounds the wait for processes that were sent SIGKILL: only one stuck in the kernel outlives it.
const killPatience = 5 * time.Second

// group is everything an attempt started: the process group that the watchdog leads, whoever carries the mark in its
// environment, and the descendants of both, now or at any earlier look.
type group struct {
	leader process // the watchdog; pid 0 when it is not known
	mark   string
	seen   map[int]string // pid → start
}

func newGroup(leader process, mark string) *group {
	return &group{leader: leader, mark: mark, seen: map[int]string{}}
}

// include makes a process a member wherever it goes.
func (g *group) include(pid int) {
	if start := startOf(pid); start != "" {
		g.seen[pid] = start
	}
}

// members lists what is still there, without the watchdog and without zombies.
func (g *group) members() []process {
	all := processes()
	led := false // only a group whose leader is still the same process is ours: pids are given again
	for _, p := range all {
		led = led || (g.leader.pid > 0 && p.pid == g.leader.pid && p.start == g.leader.start)
	}
	me := self()
	found := make([]process, 0, 8)
	rest := all[:0]
	for _, p := range all {
		switch {
		case p.pid <= 1 || p.pid == me.pid || p.pid == g.leader.pid:
		case (led && p.pgid == g.leader.pid) || g.seen[p.pid] == p.start || (!p.before(g.leader.start) && p.marked(g.mark)):
			found = append(found, p)
		default:
			rest = append(rest, p)
		}
	}
	found = addDescendants(found, rest)
	clear(g.seen)
	living := found[:0]
	for _, p := range found {
		if !p.zombie {
			g.seen[p.pid] = p.start
			living = append(living, p)
		}
	}
	return living
}

// addDescendants adds to found whoever of rest descends from one of it.
func addDescendants(found, rest []process) []process {
	ours := make(map[int]bool, len(found))
	for _, p := range found {
		ours[p.pid] = true
	}
	for grown := true; grown; {
		grown = false
		for _, p := range rest {
			if ours[p.ppid] && !ours[p.pid] {
				ours[p.pid], grown = true, true
				found = append(found, p)
			}
		}
	}
	return found
}

// killOnce sends SIGKILL to every member that one look finds, and answers how many there were. A watchdog is spared.
func (g *group) killOnce() int {
	members := g.members()
	for _, p := range members {
		p.kill(syscall.SIGKILL)
	}
	return len(members)
}

// terminate asks every member to end, once, and answers how many there were. The process group is asked as a whole: a look at the
// processes misses who is just being forked, the kernel does not. The watchdog, its leader, does not listen. Who is forked later is not
// asked: it may be there to clean up.
func (g *group) terminate() int {
	members := g.members()
	led := alive(g.leader.pid, g.leader.start)
	if led {
		_ = syscall.Kill(-g.leader.pid, syscall.SIGTERM) // it may be gone meanwhile
	}
	for _, p := range members {
		if !led || p.pgid != g.leader.pid {
			p.kill(syscall.SIGTERM)
		}
	}
	return len(members)
}

// wait looks until no member is left or ctx ends, and answers whether none is left.
func (g *group) wait(ctx context.Context) bool {
	for pause := 5 * time.Millisecond; len(g.members()) > 0; pause = min(2*pause, 100*time.Millisecond) {
		if !sleep(ctx, pause) {
			return false
		}
	}
	return true
}

// kill ends every member with SIGKILL, however often they fork. It answers false when some are left after killPatience.
func (g *group) kill() bool {
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	gone := true
	for pause := time.Millisecond; gone && g.killOnce() > 0; pause = min(2*pause, 50*time.Millisecond) {
		gone = sleep(ctx, pause)
	}
	return gone
}

// sleep waits for d and answers whether it did: not when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
