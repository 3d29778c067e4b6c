package workflows

import "go.temporal.io/sdk/workflow"

// Signal is a signal of a run: its name and the type it carries, for handler, sender and test alike.
type Signal[T any] struct{ Name string }

// Channel is where a workflow receives the signal.
func (s Signal[T]) Channel(ctx workflow.Context) SignalChannel[T] {
	return SignalChannel[T]{workflow.GetSignalChannel(ctx, s.Name)}
}

// SignalChannel receives a [Signal].
type SignalChannel[T any] struct{ workflow.ReceiveChannel }

// ReceiveAsync answers the next signal that is already there.
func (c SignalChannel[T]) ReceiveAsync() (value T, ok bool) {
	ok = c.ReceiveChannel.ReceiveAsync(&value)
	return value, ok
}

// Update is an update of a run: its name, what it takes and what it answers.
type Update[In, Out any] struct{ Name string }

// Handle serves the update; validate refuses it before anything is recorded, and may be nil.
func (u Update[In, Out]) Handle(ctx workflow.Context, handle func(workflow.Context, In) (Out, error), validate func(workflow.Context, In) error) error {
	var options workflow.UpdateHandlerOptions
	if validate != nil {
		options.Validator = validate
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, u.Name, handle, options)
}

// Query is a query of a run: its name and what it answers.
type Query[Out any] struct{ Name string }

// Handle serves the query.
func (q Query[Out]) Handle(ctx workflow.Context, handle func() (Out, error)) error {
	return workflow.SetQueryHandler(ctx, q.Name, handle)
}
