// Package sdk is the public vocabulary of rolecall and its HTTP client.
//
// A caller hands a typed [Task] to a role; an agent of that role does the work and answers with a [Result]. The package knows
// nothing of the engines behind the service, so it can be imported by callers, agents and the service itself alike.
//
//	client, err := sdk.FromEnv()
//	...
//	task, err := client.RequestCode(ctx, "Add a retry to the uploader", sdk.Input(map[string]any{"repo": "uploader"}))
//	...
//	done, err := client.WaitForTask(ctx, task.ID)
//	if err := done.Err(); err != nil { // the task failed or was cancelled
//		...
//	}
//	fmt.Println(done.Status, string(done.Result.Output))
//
// # Words
//
// A task has a type (what is to be done) and a role (who does it). It runs in stages: the first choice is stage 0, every entry
// of its fallback is one more. In each stage agents make attempts; the chain of all of them is [Task.Attempts]. A result of any
// stage but the first is degraded.
//
// # Plans
//
// A [PlanRequest] is several tasks, of which needs says which comes after which, with expressions that carry results from one to the next,
// conditions, and gates that send work back. [Client.CreatePlan] starts one, [Client.WaitForPlan] sees its end, and [Client.PlanEvents] what
// happens meanwhile. A plan with a goal and no steps asks the role coordinator for them.
//
// # Events
//
// What happens is in the project's log as [Event]. [Client.Subscribe] follows it, [Client.TaskEvents] one task, [Client.Events] reads
// what is there, and [Client.Publish] adds to it. [Client.Durable] is a place in the log that several receivers share, and [Service] the short way
// to react to events from one:
//
//	svc := sdk.NewService(client, "reviews")
//	svc.OnEvent("code.generated", func(ctx context.Context, e *sdk.Event) error { ... })
//	err := svc.Run(ctx)
//
// # Where to start
//
// task.go holds the shapes, errors.go the error vocabulary, validate.go the bounds, handler.go what an agent implements, and
// client.go, tasks.go, wait.go and options.go what a caller uses; plan.go and plans.go are about plans, event.go, subscribe.go, durable.go and
// service.go about events.
package sdk
