// Package dev starts rolecall on one machine as a set of processes, for tests and demonstrations: Temporal with its Web UI, the
// event log, the API, the control worker and role workers, each a process of its own on free loopback ports, which can be killed, suspended and
// started again on the same port and data.
//
//	stack := dev.ForTest(t, dev.Options{})
//	worker, err := stack.StartWorker(ctx, dev.Worker{Roles: []sdk.Role{sdk.RoleCoder}, Command: []string{"./agent"}})
//	...
//	err = worker.Kill()
//
// The programs are built by this package, without the race detector and once; the package itself does not link the Temporal
// server, so a test binary with the race detector stays small. Package temporal is the server, cmd/rolecall-dev its program.
package dev
