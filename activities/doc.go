// Package activities holds what touches the world on the workflows' behalf: the shapes of each activity's input and output, and
// the typed call a workflow makes. It knows the vocabulary of sdk and Temporal's workflow API, and no engine client.
//
// ExecuteTask is one attempt at a task. Role workers serve it, in any language; everything else here is served by the control
// worker.
package activities
