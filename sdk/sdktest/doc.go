// Package sdktest is a rolecall service inside a test: who delegates tasks can be tested without Temporal, a network or a clock that runs.
//
//	srv := sdktest.New(t)
//	srv.Agent(sdk.RoleCoder, sdktest.Script(
//		sdktest.Attempt().Fail(errors.New("the build is red")),
//		sdktest.Attempt().Progress(50, "writing").Complete("done"),
//	))
//	task, err := srv.Client().RequestCode(ctx, "Add a login page")
//	srv.Clock().Advance(time.Second) // over the pause after the failed attempt
//
// It answers with the handlers of the real API and takes a task through the course that the real workflow takes it (package workflows);
// only queues, agents and time are its own. Both are held to one table of cases, package conformance.
//
// Nothing in it waits for time: pauses, timeouts and the 15 s that a cancelled agent has to stop pass when the test moves the
// [Clock]. [Clock.Advance] first waits until the agents have done what they can ([Server.Settle]), so that a test need not be lucky.
// What it can not see is the program under test, when that runs in a goroutine of its own: [Server.AwaitTasks] and
// [Server.AwaitTask] wait until it has got so far.
//
// Events are those of the real service, in an event log that the first request about events opens. What led to a state that a caller sees is in
// it already. The log goes by the machine's time and works with files: in a bubble of testing/synctest it can not be used, all else can. An
// [sdk.Worker] registers itself, and so opens the log too; in a bubble claim and end leases instead.
//
// The registry of agents is the real one too, by the clock: who has registered over the API and missed three heartbeats is offline once the
// clock has been moved so far. The agents of [Server.Agent] are not in it, but it is seen that they ask for work.
//
// Sessions and plans are those of the real service too: what is decided about them comes from package workflows, and their tasks are tasks of the
// server.
//
// Unlike the real service: an agent takes its work at once and in the order of priority and age, without regard to fairness keys; every
// progress is recorded; a request is answered before anything has come of it; a list knows every change at once; there are no keys; and
// events, where they happen at the same time by the clock, have equal times, but for the progress of one attempt, which is in order.
package sdktest
