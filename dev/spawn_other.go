//go:build unix && !linux

package dev

import "syscall"

// childAttr puts a process into a group of its own. Only Linux can also tie its life to ours.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
