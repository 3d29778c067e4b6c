package dev

import (
	"os/exec"
	"runtime"
	"sync"
)

// spawner starts processes from one thread that lives as long as they may: on Linux they die with that thread, and so with this
// process, however it ends.
type spawner struct {
	requests chan spawnRequest
	close    func()
}

type spawnRequest struct {
	cmd   *exec.Cmd
	reply chan error
}

func newSpawner() *spawner {
	s := &spawner{requests: make(chan spawnRequest)}
	s.close = sync.OnceFunc(func() { close(s.requests) })
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		for r := range s.requests {
			r.reply <- r.cmd.Start()
		}
	}()
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	r := spawnRequest{cmd: cmd, reply: make(chan error, 1)}
	s.requests <- r
	return <-r.reply
}
