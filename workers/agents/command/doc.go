// Package command runs any program as an agent: one process per attempt, JSON lines in, JSON lines out, no library needed.
//
//	agent, err := command.New(command.Config{Argv: []string{"./my-agent", "--flag"}, DataDir: dir, WorkerID: "tester-1"})
//	...
//	defer agent.Close()
//	err = workers.RunRole(ctx, cfg, agent)
//
// # What the program gets
//
// It is started without a shell, once per attempt. On stdin it reads one JSON object, the [sdk.Assignment], then end of file. Its
// environment is what [Config.EnvAllow] lets through and ROLECALL_TASK_ID, ROLECALL_TASK_TYPE, ROLECALL_PROJECT,
// ROLECALL_ATTEMPT, ROLECALL_RUN (a mark by which the attempt's processes are known again) and EVENTS_SERVICE_URL; where the
// handler's context is part of a trace, TRACEPARENT and TRACESTATE too. Its working directory is [Config.Workdir], or a fresh private one that is removed afterwards; a relative path among its arguments counts
// from there, only the program itself is looked up from where the worker was started.
//
// # What the program says
//
// A line of stdout that is a JSON object with one of these keys, and a value of that shape, is a message:
//
//	{"progress": {"percentage", "phase", "message", "delta", "tool", "category"}}
//	{"resume": <any JSON but null, kept for the next attempt>}
//	{"inputRequired": {"prompt", "schema"?}}                             and exit 0
//	{"result": {"output", "metrics"?, "model"?, "qualityGatePassed"?, "qualityGate"?, "reflection"?, "episodeRefs"?}}
//	{"error": {"code", "message", "retryable"?, "retryAfterMs"?, "details"?}}
//
// Beside any of the keys, "metrics" ({"tokensUsed", "inputTokens", "outputTokens", "costUsd"}) says what the attempt has spent so far,
// all of it; the newest counts, however the attempt ends. Those in a result go before them.
//
// Every other line is log. A line with several of the keys counts for all of them, in the order above; unknown keys are
// ignored. Where result or inputRequired come more than once, the last one counts; an error line is not taken back by either. A
// line longer than [Config.MaxLine] is log; one that begins like a result is a final payload_too_large unless another follows.
// "retryable" is true where it is missing. What only describes a result (metrics and so on) is left out when it has a wrong
// shape or is larger than 64 KiB: it never costs the output.
//
// # How the attempt ends
//
// The first rule that fits decides:
//
//  1. The attempt was stopped from outside: a result line still counts, whatever the exit code, and so does inputRequired with
//     exit 0; else the context's cause is returned.
//  2. An error line: a failure as it says, whatever the exit code.
//  3. Killed by a signal, or a non-zero exit code, even after a result: agent_failed with the code and the end of stderr. It is
//     retryable; the codes 64 to 78 (sysexits) are final.
//  4. A result or inputRequired. An output over 1 MiB is a final payload_too_large, one that nests too deep a final
//     invalid_output.
//  5. Exit 0 without either: the output is {"text": …} with the log lines of stdout; over 1 MiB it is a final
//     payload_too_large.
//
// A program that cannot be started because it is not there or not executable is a final failure.
//
// # What is left of it
//
// Nothing. The program and a watchdog (a /bin/sh that waits for the worker's end) form one process group. When the attempt is
// to stop, the group and everything else it started gets SIGTERM and after [Config.Grace] SIGKILL; what the program leaves
// behind at its exit gets SIGTERM and at most a second. When the worker dies, however it dies, the kernel kills the program (on
// Linux) and the watchdog the rest. A process that left the group (setsid) is found by its parent or, on Linux, by ROLECALL_RUN
// in its environment. Only one that left the group, lost its parent and cleaned its environment gets away; on macOS the last
// is not needed. Should anything be left all the same, [New] of the next worker with the same [Config.DataDir] ends it, unless the
// worker it belongs to lives, or may live out of sight (in another container, on another machine).
//
// A configured working directory is locked for one attempt at a time (flock on the directory, held by the watchdog alone, so
// that it is free exactly when the attempt's processes are gone); .rolecall.lock in it names the holder while the attempt runs
// (in a git work tree, put that name into .git/info/exclude). A later attempt at the same task ends an earlier one that still
// runs on the machine: the earlier one has lost the task.
package command
